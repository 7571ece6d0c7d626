"""The reject file: which lines were not taken, and why."""

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from workers.intake.rows import RowResult


class RejectFile:
    """
    JSON lines of line number, event id and reasons; made when the first bad line comes.

    The rows themselves are not repeated, since they hold what must not lie around.
    """

    def __init__(self, path: Path, *, resumed: bool) -> None:
        """
        Args:
            resumed: keep what an earlier part of the same import wrote.
        """
        self.path = path
        self.count = 0
        self._file: IO[str] | None = None
        if not resumed:
            path.unlink(missing_ok=True)

    def add(self, line: int, result: RowResult, problem: str = "") -> None:
        """Note one line; ``problem`` is the source's own reason, in place of the door's."""
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
        reasons = (
            [problem]
            if problem
            else [
                fault.code if fault.field is None else f"{fault.code}: {fault.field}"
                for fault in result.faults
            ]
            or [result.status.value]
        )
        note = {"line": line, "event_id": result.event_id, "reason": "; ".join(reasons)}
        self._file.write(json.dumps(note, ensure_ascii=False) + "\n")
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

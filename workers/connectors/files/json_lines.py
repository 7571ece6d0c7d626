"""JSON lines in our own event schema, plain or gzipped."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from workers.connectors.files.fingerprint import fingerprint
from workers.connectors.files.records import there
from workers.connectors.rows import SourceRow
from workers.intake.body import parse_row
from workers.intake.errors import BodyMalformed
from workers.privacy.person_data import RECORD

_MAX_LINE_BYTES = 1024 * 1024


class JsonLines:
    """One event per line; a BOM, CRLF, blank lines and a person's other data do no harm."""

    total: int | None = None

    def __init__(self, path: Path) -> None:
        """
        Raises:
            SourceMissing: there is no such file.
        """
        self._path = there(path)
        self.name = f"jsonl:{fingerprint(path)}"

    def rows(self, *, after: int) -> Iterator[SourceRow]:
        """The rows after the first ``after`` lines; an unreadable line is a row without value."""
        with _open(self._path) as lines:
            number = 0
            while line := lines.readline(_MAX_LINE_BYTES):
                number += 1
                if not line.endswith(b"\n"):
                    line = _rest_of_line(line, lines)
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if number > after and line.strip():
                    yield _row(number, _parsed(line))


def _row(number: int, parsed: object) -> SourceRow:
    # A person's data holds lines that are no events; they are named, and passed over.
    if isinstance(parsed, dict) and RECORD in parsed:
        return SourceRow(number, number, None, has_event=False)
    return SourceRow(number, number, parsed)


def _rest_of_line(line: bytes, lines: IO[bytes]) -> bytes:
    """A line longer than we take is read to its end and handed on as unreadable."""
    too_long = False
    while not line.endswith(b"\n") and (more := lines.readline(_MAX_LINE_BYTES)):
        too_long = True
        line = more
    return b"\xff" if too_long else line


def _parsed(line: bytes) -> object:
    try:
        return parse_row(line)
    except BodyMalformed:
        return None


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")

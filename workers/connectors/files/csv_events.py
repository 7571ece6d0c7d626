"""CSV with a heading of our own field names, plain or gzipped."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workers.connectors.errors import SourceUnreadable
from workers.connectors.files.fingerprint import fingerprint
from workers.connectors.files.records import opened, tables, there
from workers.connectors.rows import SourceRow
from workers.intake.schema import EventBase
from workers.intake.times import EpochMs

TimeUnit = Literal["s", "ms", "us", "ns"]

_NUMBERS = frozenset(
    {"schema_version", "quantity", "position", "dwell_ms", "price_minor", "amount_minor"}
)
_FRACTIONS = frozenset({"rating", "value"})
_NESTED = frozenset({"lines", "impression", "context", "consent", "attributes"})
_TIMES = frozenset({"event_time", "sent_at"})
_REQUIRED = frozenset({"event_id", "event_type", "event_time"})


@dataclass(frozen=True, slots=True)
class CsvForm:
    """
    How a file is written.

    Attributes:
        time_unit: unit of times that are numbers; without it such times are refused.
    """

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    time_unit: TimeUnit | None = None


class CsvEvents:
    """
    One event per record; an empty cell says nothing.

    Columns are fields of the event schema. Lists and objects (``lines``, ``context``, ...) are
    JSON, or, for a single value of an object, a column such as ``context.page``.
    """

    total: int | None = None

    def __init__(self, path: Path, form: CsvForm | None = None) -> None:
        """
        Raises:
            SourceMissing: there is no such file.
            SourceUnreadable: the heading is no heading of events, or the encoding is not known.
        """
        self._path, self._form = there(path), form or CsvForm()
        self.name = f"csv:{fingerprint(path)}"
        self._columns = self._heading()

    def rows(self, *, after: int) -> Iterator[SourceRow]:
        """The records after the first ``after`` lines; one that cannot be read has no value."""
        with opened(self._path, self._form.encoding) as text:
            for record in tables(text, self._form.delimiter):
                if record.line > max(after, 1) and record.cells != []:
                    yield SourceRow(record.line, record.end, self._event(record.cells))

    def _event(self, cells: Sequence[str] | None) -> object:
        if cells is None or len(cells) != len(self._columns):
            return None
        event: dict[str, Any] = {}
        for column, cell in zip(self._columns, cells, strict=True):
            if cell != "":
                name, _, part = column.partition(".")
                if part:
                    event.setdefault(name, {})[part] = _value(part, cell, self._form)
                else:
                    event[name] = _value(name, cell, self._form)
        return event

    def _heading(self) -> list[str]:
        try:
            with opened(self._path, self._form.encoding) as text:
                first = next(tables(text, self._form.delimiter), None)
        except LookupError as error:
            raise SourceUnreadable(f"{self._form.encoding} is no known encoding") from error
        columns = list(first.cells or ()) if first is not None else []
        if first is not None and first.cells is None:
            raise SourceUnreadable(f"{self._path} has no heading that can be read")
        known = EventBase.model_fields.keys()
        strange = [c for c in columns if c.partition(".")[0] not in known]
        missing = sorted(_REQUIRED - set(columns))
        if missing or strange or len(set(columns)) != len(columns):
            found = f"missing: {', '.join(missing) or 'none'}; unknown: {len(strange)}"
            raise SourceUnreadable(
                f"the heading of {self._path} must hold fields of events, each once ({found})"
            )
        return columns


def _value(name: str, cell: str, form: CsvForm) -> object:
    """The cell as JSON would have it; what does not fit is left for the door to refuse."""
    with suppress(ValueError, RecursionError):
        if name in _NUMBERS or name == "tz_offset_min":
            return int(cell)
        if name in _FRACTIONS:
            return float(cell)
        if name in _NESTED:
            return json.loads(cell)
        if name in _TIMES and form.time_unit is not None:
            return EpochMs.of(int(cell), form.time_unit)
    return cell

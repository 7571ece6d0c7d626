"""CSV with a heading of our own field names, plain or gzipped."""

import codecs
import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

from workers.connectors.errors import SourceMissing, SourceUnreadable
from workers.connectors.files.fingerprint import fingerprint
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
        if not path.is_file():
            raise SourceMissing(f"there is no file {path}")
        self._path, self._form = path, form or CsvForm()
        self.name = f"csv:{fingerprint(path)}"
        self._columns = self._heading()

    def rows(self, *, after: int) -> Iterator[SourceRow]:
        """The records after the first ``after`` lines; one that cannot be read has no value."""
        with self._open() as text:
            reader = csv.reader(text, delimiter=self._form.delimiter)
            begins = 1
            while True:
                try:
                    cells: list[str] | None = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    cells = None
                line, begins = begins, reader.line_num + 1
                if line > max(after, 1) and cells != []:
                    yield SourceRow(line, reader.line_num, self._event(cells))

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
            codecs.lookup(self._form.encoding)
        except LookupError as error:
            raise SourceUnreadable(f"{self._form.encoding} is no known encoding") from error
        try:
            with self._open() as text:
                columns = next(csv.reader(text, delimiter=self._form.delimiter), [])
        except csv.Error as error:
            raise SourceUnreadable(f"{self._path} has no heading that can be read") from error
        known = EventBase.model_fields.keys()
        strange = [c for c in columns if c.partition(".")[0] not in known]
        missing = sorted(_REQUIRED - set(columns))
        if missing or strange or len(set(columns)) != len(columns):
            found = f"missing: {', '.join(missing) or 'none'}; unknown: {len(strange)}"
            raise SourceUnreadable(
                f"the heading of {self._path} must hold fields of events, each once ({found})"
            )
        return columns

    def _open(self) -> IO[str]:
        # A byte that does not fit stays in its row, which the door then refuses alone.
        opened = gzip.open if self._path.suffix == ".gz" else open
        text = opened(
            self._path, "rt", encoding=self._form.encoding, errors="surrogateescape", newline=""
        )
        return cast("IO[str]", text)


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

"""A file of a known layout, as rows of our event schema."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from workers.connectors.errors import SourceUnreadable
from workers.connectors.files.fingerprint import fingerprint
from workers.connectors.files.layouts.layout import Layout, Options, Place, Told, Unusable
from workers.connectors.files.records import (
    fitting,
    likely_delimiter,
    objects,
    opened,
    plain_name,
    tables,
    there,
    words,
)
from workers.connectors.rows import SourceRow


class LogFile:
    """
    Rows of a published log or an export of another product.

    Events without an id of their own are known by the file's name and the line, so that the same
    file adds nothing when it comes again, packed or not.
    """

    total: int | None = None

    def __init__(
        self,
        path: Path,
        layout: Layout,
        options: Options | None = None,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        name: str | None = None,
    ) -> None:
        """
        Args:
            encoding, delimiter: where the file differs from its layout.
            name: what its events are known by in place of the file's name.

        Raises:
            SourceMissing: there is no such file.
            SourceUnreadable: it has not the columns of this layout, or says too little.
        """
        self._path, self._layout = there(path), layout
        self._options = layout.options(options or Options())
        self._encoding = encoding or fitting(path, layout.encodings)
        self._file = name or plain_name(path)
        self.name = f"{layout.name}:{self._file}:{fingerprint(path)}"
        self._delimiter = delimiter or layout.delimiter
        self._columns: dict[str, int] = {}
        self._first = 1
        if layout.form == "table":
            self._read_heading()

    def rows(self, *, after: int) -> Iterator[SourceRow]:
        """The rows after the first ``after`` lines; a record may be none, or several."""
        with opened(self._path, self._encoding) as text:
            for line, end, record in self._records(text):
                if line > after and record != {}:
                    yield from self._told(line, end, record)

    def _told(self, line: int, end: int, record: Mapping[str, Any] | None) -> Iterator[SourceRow]:
        if record is None:
            yield SourceRow(line, end, None, "cannot be read")
            return
        try:
            told = self._layout.read(record, Place(self._file, line), self._options)
        except Unusable as problem:
            yield SourceRow(line, end, None, str(problem))
            return
        except (KeyError, TypeError, ValueError, AttributeError):
            yield SourceRow(line, end, None, "not of this layout")
            return
        yield from self._rows(line, end, told)

    def _rows(self, line: int, end: int, told: Told) -> Iterator[SourceRow]:
        items = tuple(told.items)
        if not told.events:
            if items:
                yield SourceRow(line, end, None, items=items, has_event=False)
            return
        last = len(told.events) - 1
        for k, raw in enumerate(told.events):
            raw.setdefault("source", self._layout.name)
            # Done is a record only with its last event.
            yield SourceRow(
                line, end if k == last else line - 1, raw, items=items if k == 0 else ()
            )

    def _records(self, text: IO[str]) -> Iterator[tuple[int, int, Mapping[str, Any] | None]]:
        if self._layout.form == "json":
            for number, found in objects(text):
                yield number, number, found
            return
        if self._layout.form == "words":
            for record in words(text):
                cells = {"cells": record.cells} if record.cells else {}
                yield record.line, record.end, cells
            return
        width = max(self._columns.values()) + 1
        for record in tables(text, self._delimiter):
            if record.line >= self._first:
                yield record.line, record.end, self._named(record.cells, width)

    def _named(self, cells: Any, width: int) -> Mapping[str, str] | None:
        if cells is None or 0 < len(cells) < width:
            return None
        return {name: cells[at] for name, at in self._columns.items()} if cells else {}

    def _read_heading(self) -> None:
        layout = self._layout
        with opened(self._path, self._encoding) as text:
            first_line = text.readline()
        if self._delimiter == "auto":
            self._delimiter = likely_delimiter(first_line)
        with opened(self._path, self._encoding) as text:
            first = next(tables(text, self._delimiter), None)
        cells = [] if first is None or first.cells is None else list(first.cells)
        named = {layout.names.get(cell, cell): at for at, cell in enumerate(cells)}
        missing = [name for name in layout.columns if name not in named]
        if not missing:
            self._columns, self._first = named, (first.end if first else 0) + 1
            return
        # Whether there is a heading is told by its names alone, never guessed from the values.
        if layout.places and len(missing) == len(layout.columns):
            if len(cells) < len(layout.places):
                raise SourceUnreadable(
                    f"{self._path} has {len(cells)} columns; layout {layout.name} has "
                    f"{len(layout.places)}: {', '.join(layout.places)}"
                )
            self._columns = {name: at for at, name in enumerate(layout.places)}
            return
        raise SourceUnreadable(
            f"{self._path} is not of layout {layout.name}: the heading lacks {', '.join(missing)}"
        )

"""Records of a text file, one at a time, with their lines: tables, JSON lines, words."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from workers.connectors.errors import SourceMissing, SourceUnreadable

PACKED = (".gz", ".zip")
_SNIFF_BYTES = 1024 * 1024
_DELIMITERS = ("::", "\t", ";", "|", ",")


@dataclass(frozen=True, slots=True)
class Record:
    """
    One record.

    Attributes:
        line: where it begins, from 1.
        end: its last line.
        cells: ``None`` where it could not be read.
    """

    line: int
    end: int
    cells: Sequence[str] | None


def there(path: Path) -> Path:
    """The path; raises ``SourceMissing``."""
    if not path.is_file():
        raise SourceMissing(f"there is no file {path}")
    return path


def plain_name(path: Path) -> str:
    """The name without its endings, the same whether packed or not."""
    name = path.name.removesuffix(".gz").removesuffix(".zip")
    return name.rsplit(".", 1)[0] or name


@contextmanager
def opened(path: Path, encoding: str) -> Iterator[IO[str]]:
    """
    Text of a file, plain, ``.gz`` or ``.zip`` with one file in it.

    A byte that does not fit stays in its row, which the door then refuses alone.

    Raises:
        SourceUnreadable: the archive holds several files.
    """
    with (
        _bytes(path) as raw,
        io.TextIOWrapper(raw, encoding, "surrogateescape", newline="") as text,
    ):
        yield text


@contextmanager
def _bytes(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as packed:
            yield cast("IO[bytes]", packed)
        return
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise SourceUnreadable(f"{path} holds {len(names)} files; unpack the one you mean")
            with archive.open(names[0]) as inside:
                yield inside
        return
    with path.open("rb") as file:
        yield file


def fitting(path: Path, encodings: Sequence[str]) -> str:
    """The first encoding in which the beginning of the file makes sense, else the last."""
    with _bytes(path) as raw:
        head = raw.read(_SNIFF_BYTES)
    # A character may be cut in the middle by the end of what was read.
    head = head[: head.rfind(b"\n") + 1] or head
    for encoding in encodings:
        try:
            head.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return encodings[-1]


def likely_delimiter(first_line: str) -> str:
    """What stands most often in the first line; among equals the rarer sign."""
    return max(_DELIMITERS, key=lambda sign: first_line.count(sign) * len(sign))


def tables(text: IO[str], delimiter: str) -> Iterator[Record]:
    """Records of a table; a delimiter of several characters knows no quotes."""
    if len(delimiter) > 1:
        for number, whole in enumerate(text, 1):
            cells = whole.rstrip("\r\n")
            yield Record(number, number, cells.split(delimiter) if cells else [])
        return
    reader = csv.reader(text, delimiter=delimiter)
    begins = 1
    while True:
        try:
            found: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            found = None
        line, begins = begins, reader.line_num + 1
        yield Record(line, reader.line_num, found)


def words(text: IO[str]) -> Iterator[Record]:
    """Lines of words between blanks."""
    for number, line in enumerate(text, 1):
        yield Record(number, number, line.split())


def objects(text: IO[str]) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Lines of JSON; ``None`` where a line is no object, nothing for an empty one."""
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        yield number, found if isinstance(found, dict) else None

"""What every source of history hands over: raw rows of our event schema, with their places."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class SourceRow:
    """
    One raw event.

    Attributes:
        line: where it begins, counted from 1.
        end: how many lines of the source are done after it.
        raw: the event; ``None`` where the line could not be read.
    """

    line: int
    end: int
    raw: object


class Source(Protocol):
    """
    History that can be read from any line on.

    Attributes:
        name: what the bookmark is known by; changes when the content does.
        total: lines in all, where they are known beforehand.
    """

    name: str
    total: int | None

    def rows(self, *, after: int) -> Iterator[SourceRow]:
        """The rows after the first ``after`` lines, in order."""
        ...

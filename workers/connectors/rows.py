"""What every source of history hands over: raw rows of our event schema, with their places."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from graph.domain.catalogue import Item


@dataclass(slots=True)
class SourceRow:
    """
    One raw event, or facts about items, or both.

    Attributes:
        line: where it begins, counted from 1.
        end: how many lines of the source are done after it.
        raw: the event; ``None`` where the line could not be read.
        problem: why there is no event, where the source knows.
        items: what the line says about items.
        has_event: false where the line is about items alone.
    """

    line: int
    end: int
    raw: object
    problem: str = ""
    items: tuple[Item, ...] = ()
    has_event: bool = True


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

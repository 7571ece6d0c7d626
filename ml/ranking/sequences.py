"""Many short stories in flat arrays: sessions, or the lives of customers, oldest event first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequences:
    """
    S sequences with N events in all, over V items.

    Shapes:
        item:  (N,) int32, below ``n_items``
        start: (S + 1,) int64; sequence k is ``item[start[k]:start[k + 1]]``
        code:  (N,) int8, ``Behaviour.code``, or ``None`` where there is one kind only
        ts:    (N,) int64, milliseconds UTC, never decreasing inside a sequence, or ``None``
        asked: (S,) int64, the moment that is asked about, milliseconds UTC, or ``None``
        place: (S,) int32, the store that each goes to, or ``None``
    """

    item: NDArray[np.int32]
    start: NDArray[np.int64]
    n_items: int
    code: NDArray[np.int8] | None = None
    ts: NDArray[np.int64] | None = None
    asked: NDArray[np.int64] | None = None
    place: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.start) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(S,) events of each."""
        return np.diff(self.start)

    @property
    def owner(self) -> NDArray[np.int64]:
        """(N,) the sequence of each event."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @classmethod
    def of(cls, lists: Iterable[Sequence[int]], n_items: int) -> "Sequences":
        """From lists of items; raises ``ValueError`` for an item outside the catalogue."""
        rows = [np.asarray(one, np.int32) for one in lists]
        item = np.concatenate([np.zeros(0, np.int32), *rows])
        if len(item) and (item.min() < 0 or item.max() >= n_items):
            raise ValueError(f"an item lies outside the {n_items} of the catalogue")
        start = np.append(0, np.cumsum([len(row) for row in rows])).astype(np.int64)
        return cls(item=item, start=start, n_items=n_items)

    def take(self, rows: NDArray[Any]) -> "Sequences":
        """Some of the sequences, by mask or positions."""
        rows = np.arange(len(self))[rows]
        return replace(
            self.cut(self.start[:-1][rows], self.start[1:][rows]),
            asked=None if self.asked is None else self.asked[rows],
            place=None if self.place is None else self.place[rows],
        )

    def last(self, count: int) -> "Sequences":
        """The last ``count`` events of each."""
        return self._parts(np.maximum(self.start[1:] - count, self.start[:-1]), self.start[1:])

    def without_last(self) -> "Sequences":
        """Each without its last event."""
        return self._parts(self.start[:-1], np.maximum(self.start[1:] - 1, self.start[:-1]))

    def padded(self, steps: int, fill: int) -> NDArray[np.int32]:
        """(S, steps) items of the last events, aligned right; ``fill`` stands in front."""
        part = self.last(steps)
        table = np.full((len(part), steps), fill, np.int32)
        column = np.arange(len(part.item)) - np.repeat(part.start[1:], part.lengths) + steps
        table[part.owner, column] = part.item
        return table

    def cut(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> "Sequences":
        """One sequence per (begin, end) of positions in the events, asked about at no moment."""
        lengths = end - begin
        start = np.append(0, np.cumsum(lengths)).astype(np.int64)
        rows = np.arange(start[-1]) + np.repeat(begin - start[:-1], lengths)
        return Sequences(
            item=self.item[rows],
            start=start,
            n_items=self.n_items,
            code=None if self.code is None else self.code[rows],
            ts=None if self.ts is None else self.ts[rows],
        )

    def _parts(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> "Sequences":
        """A part of each, with the moment and the store of the whole."""
        return replace(self.cut(begin, end), asked=self.asked, place=self.place)


class Ranker(Protocol):
    """
    Learns from sequences and scores the catalogue for others.

    Every model passes the same tests (``tests/contract/test_rankers.py``). Randomness comes in
    through a ``seed`` of the constructor; equal seeds give equal scores.
    """

    def fit(self, past: Sequences) -> None:
        """Learn; raises ``NotEnoughData`` where there is nothing to learn from."""

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) what each sequence will touch next, higher is likelier; always finite."""

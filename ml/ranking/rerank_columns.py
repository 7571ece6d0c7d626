"""What the second look knows of a candidate: the channels' opinions and the item's own story."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.ranking.rules import follows
from ml.ranking.sequences import Sequences

NEWEST = 0.1
"""Share of the past, its end, that counts as recent."""

NEVER = 50.0
"""Stands for the place of an item that is not in the prefix."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """
    Pairs of a case and an item, by ascending case.

    Shapes:
        row, item: (C,) int64
    """

    row: NDArray[np.int64]
    item: NDArray[np.int64]

    @property
    def begin(self) -> NDArray[np.int64]:
        """(C,) where the row of each pair begins."""
        return np.searchsorted(self.row, self.row)


class ItemFacts:
    """
    Counts of items and of pairs in the past.

    Shapes:
        columns: (C, 17) float32
    """

    def __init__(self, past: Sequences) -> None:
        n = len(past)
        owner = past.owner
        recent = past.item[owner >= n * (1 - NEWEST)]
        count = np.bincount(past.item, minlength=past.n_items).astype(np.float32)
        self._count = np.log1p(count)
        self._recent = np.log1p(np.bincount(recent, minlength=past.n_items)).astype(np.float32)
        newest = np.zeros(past.n_items)
        np.maximum.at(newest, past.item, owner)
        self._unseen_for = np.log1p(n - newest).astype(np.float32)
        self._ends = _share(past.item[past.start[1:][past.lengths > 0] - 1], count)
        self._again = _share(past.item[_comes_again(past)], count)
        self._next = Pairs(follows(past))
        self._lately = Pairs(follows(past, half_life=max(n * NEWEST, 1)))
        self._ahead = Pairs(follows(past, steps=5))

    def columns(self, prefixes: Sequences, asked: Candidates) -> NDArray[np.float32]:
        """What is known beside the channels."""
        own = Pairs(_last_places(prefixes))
        times = Pairs(_times(prefixes))
        last, before = (_item_from_end(prefixes, k)[asked.row] for k in (1, 2))
        length = prefixes.lengths[asked.row]
        item = asked.item
        place = own.of(asked.row, item)
        return np.stack(
            [
                np.where(place > 0, place, NEVER),
                times.of(asked.row, item),
                length,
                np.diff(times.table.indptr)[asked.row],
                self._count[item],
                self._recent[item],
                self._recent[item] - self._count[item],
                self._unseen_for[item],
                self._ends[item],
                self._again[item],
                self._again[np.maximum(last, 0)],
                np.log1p(self._next.of(last, item)),
                np.log1p(self._next.of(item, last)),
                np.log1p(self._lately.of(last, item)),
                np.log1p(self._ahead.of(last, item)) - self._count[np.maximum(last, 0)],
                np.log1p(self._ahead.of(before, item)),
                self._count[np.maximum(last, 0)],
            ],
            axis=1,
        ).astype(np.float32)


class Pairs:
    """Looks up many cells of a sparse table at once; absent ones are 0."""

    def __init__(self, table: csr_array) -> None:
        table.sum_duplicates()
        self.table = table
        row = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
        self._keys = row * table.shape[1] + table.indices

    def of(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float32]:
        """(C,) values; a negative row or column is absent."""
        key = row * self.table.shape[1] + column
        at = np.searchsorted(self._keys, key).clip(max=max(len(self._keys) - 1, 0))
        if not len(self._keys):
            return np.zeros(len(key), np.float32)
        is_there = (self._keys[at] == key) & (row >= 0) & (column >= 0)
        return np.where(is_there, self.table.data[at], 0).astype(np.float32)


def opinions(scores: NDArray[np.float32], asked: Candidates) -> NDArray[np.float32]:
    """
    (C, 4) of one channel: score, share of the row's best, distance to it, rank among candidates.

    Shares are for weights, distances for logits; trees take what they can use.
    """
    value = scores[asked.row, asked.item]
    best = scores.max(axis=1)[asked.row]
    order = np.lexsort((-value, asked.row))
    rank = np.empty(len(value), np.float32)
    rank[order] = np.arange(len(value)) - asked.begin
    return np.stack([value, value / np.maximum(best, 1e-9), best - value, rank], axis=1).astype(
        np.float32
    )


def _share(items: NDArray[np.int32], count: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smoothed towards the mean, five times."""
    found = np.bincount(items, minlength=len(count))
    mean = found.sum() / max(count.sum(), 1)
    return np.asarray((found + 5 * mean) / (count + 5), np.float32)


def _comes_again(past: Sequences) -> NDArray[np.int64]:
    """Events whose item comes again later in the same sequence."""
    key = past.owner * past.n_items + past.item
    order = np.argsort(key, kind="stable")
    comes: NDArray[np.int64] = order[:-1][key[order[:-1]] == key[order[1:]]]
    return comes


def _last_places(prefixes: Sequences) -> csr_array:
    """(S, V) how far from the end an item stands, 1 for the last."""
    owner = prefixes.owner
    back = prefixes.start[1:][owner] - np.arange(len(owner))
    order = np.lexsort((back, prefixes.item, owner))
    key = owner[order] * prefixes.n_items + prefixes.item[order]
    order = order[np.diff(key, prepend=-1) != 0]
    shape = (len(prefixes), prefixes.n_items)
    return csr_array((back[order], (owner[order], prefixes.item[order])), shape=shape)


def _times(prefixes: Sequences) -> csr_array:
    shape = (len(prefixes), prefixes.n_items)
    ones = np.ones(len(prefixes.item), np.float32)
    # Not from item and start as they are: summing duplicates would write into them.
    return csr_array((ones, (prefixes.owner, prefixes.item)), shape=shape)


def _item_from_end(prefixes: Sequences, k: int) -> NDArray[np.int64]:
    """(S,) the k-th last item, -1 where the prefix is shorter."""
    at = prefixes.start[1:] - k
    is_there = at >= prefixes.start[:-1]
    found = np.full(len(prefixes), -1, np.int64)
    found[is_there] = prefixes.item[at[is_there]]
    return found

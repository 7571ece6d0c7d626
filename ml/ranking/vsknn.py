"""Sessions like this one: what the people behind the nearest past sessions went on to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.ranking.profiles import TIE, popularity
from ml.ranking.sequences import Sequences


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """
    How sessions are compared and what a neighbour is worth.

    Attributes:
        neighbours: past sessions that are asked for each prefix.
        steps: last events of a prefix that are compared.
        newest: past sessions per item that are looked at, the newest ones.
        decay: the r-th last item of a prefix counts ``1 / (1 + r) ** decay``.
        rarity: an item of n sessions counts ``log(S / n) ** rarity`` in the comparison.
        length: similarity is divided by the neighbour's number of items to this power.
        half_life: age in sessions at which a neighbour counts half; ``None`` for no ageing.
        reach: an item that lies d events from the match counts ``1 / (1 + d) ** reach``.
        behind: what an item before the match counts, against one after it.
        sharpness: a neighbour counts ``likeness ** sharpness``.
        answer_rarity: an item of n sessions counts ``log(S / n) ** answer_rarity`` in the answer.
    """

    neighbours: int = 500
    steps: int = 20
    newest: int = 5000
    decay: float = 1.0
    rarity: float = 1.0
    length: float = 0.0
    half_life: float | None = None
    reach: float = 0.0
    behind: float = 1.0
    sharpness: float = 1.0
    answer_rarity: float = 0.0


class VSKNN:
    """
    Vector multiplication session kNN, with STAN's weights for age and distance.

    Shapes:
        scores: (S, V) float32, the weighted number of neighbours with the item

    Source:
        Ludewig and Jannach, Evaluation of session-based recommendation algorithms, 2018
        (arXiv:1803.09587); Garg et al., Sequence and time aware neighborhood, 2019
        (arXiv:1905.09452). Ours sums over all events of a neighbour, none is a mere set.
    """

    def __init__(self, config: Neighbourhood | None = None) -> None:
        self.config = config or Neighbourhood()

    def fit(self, past: Sequences) -> None:
        """Index the sessions by item; raises ``NotEnoughData`` without events."""
        self._popularity = popularity(past)
        self._past = past
        self._lengths = past.lengths
        self._index(past)
        held = np.diff(self._of_item)
        self._rarity = np.log(np.maximum(len(past), 2) / np.maximum(held, 1)).astype(np.float32)
        self._worth = np.power(np.maximum(self._rarity, 1e-3), self.config.answer_rarity)
        distinct = np.bincount(self._session, minlength=len(past))
        scale = np.power(np.maximum(distinct, 1).astype(np.float32), -self.config.length)
        if self.config.half_life is not None:
            age = len(past) - 1 - np.arange(len(past))
            scale = scale * np.exp2(-age / self.config.half_life).astype(np.float32)
        self._scale = scale

    def _index(self, past: Sequences) -> None:
        """For every item the sessions that have it, newest first, and where it stood last."""
        owner = past.owner
        key = past.item.astype(np.int64) * len(past) + (len(past) - 1 - owner)
        place = np.arange(len(owner)) - past.start[:-1][owner]
        order = np.lexsort((-place, key))
        order = order[np.diff(key[order], prepend=-1) != 0]
        self._session = owner[order]
        self._place = place[order]
        count = np.bincount(past.item[order], minlength=past.n_items)
        self._of_item = np.append(0, np.cumsum(count))

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) what the neighbours of each prefix have, popularity where they are silent."""
        row, session, likeness, place = self._neighbours(prefixes)
        count = self._lengths[session]
        event = spread(self._past.start[:-1][session], count)
        weight = np.repeat(likeness, count)
        if self.config.reach or self.config.behind != 1:
            gap = event - np.repeat(self._past.start[:-1][session] + place, count)
            weight = weight * self._near(gap)
        item = self._past.item[event]
        cell = np.repeat(row, count) * prefixes.n_items + item
        flat = np.bincount(cell, weight, minlength=len(prefixes) * prefixes.n_items)
        found: NDArray[np.float32] = flat.astype(np.float32).reshape(
            len(prefixes), prefixes.n_items
        )
        found *= self._worth
        found += np.float32(TIE) * self._popularity
        return found

    def _near(self, gap: NDArray[np.int64]) -> NDArray[np.float32]:
        worth = np.power(1 + np.abs(gap).astype(np.float32), -self.config.reach)
        return np.where(gap < 0, worth * np.float32(self.config.behind), worth)

    def _neighbours(
        self, prefixes: Sequences
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Row, session, likeness and place of the latest match, the best of each row."""
        row, item, weight = self._asked(prefixes)
        count = np.minimum(np.diff(self._of_item)[item], self.config.newest)
        at = spread(self._of_item[item], count)
        key = np.repeat(row, count) * len(self._past) + self._session[at]
        # Stable, and latest items come first: the first of a group is the latest match.
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = np.flatnonzero(np.diff(key, prepend=-1))
        if not len(first):
            nobody = np.zeros(0, np.int64)
            return nobody, nobody, np.zeros(0, np.float32), nobody
        likeness = np.add.reduceat(np.repeat(weight, count)[order], first)
        row, session = np.divmod(key[first], len(self._past))
        likeness = likeness * self._scale[session]
        keep = best_of_each(row, likeness, self.config.neighbours)
        likeness = np.power(likeness[keep], self.config.sharpness)
        return row[keep], session[keep], likeness, self._place[at[order[first[keep]]]]

    def _asked(
        self, prefixes: Sequences
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """The distinct items of each prefix by row, latest first, with their weights."""
        row, item, back = latest_distinct(prefixes.last(self.config.steps))
        weight = np.power(1 + back.astype(np.float32), -self.config.decay)
        return row, item, weight * np.power(self._rarity[item], self.config.rarity)


def spread(begin: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """All positions of the ranges ``begin[k] : begin[k] + count[k]``, one after the other."""
    end = np.cumsum(count)
    return np.arange(end[-1] if len(end) else 0) + np.repeat(begin - end + count, count)


def best_of_each(row: NDArray[np.int64], value: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Positions of the k largest values of each row; rows ascend in and out."""
    count = np.bincount(row, minlength=1)
    crowded = count[row] > k
    few = np.flatnonzero(~crowded)
    many = np.flatnonzero(crowded)
    order = many[np.lexsort((-value[many], row[many]))]
    begin = np.append(0, np.cumsum(np.where(count > k, count, 0)))[row[order]]
    kept = order[np.arange(len(order)) - begin < k]
    return np.sort(np.concatenate([few, kept]))


def latest_distinct(
    part: Sequences,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Row, item and number of later events of each item's last occurrence, latest first."""
    owner = part.owner
    back = part.start[1:][owner] - 1 - np.arange(len(owner))
    order = np.lexsort((back, part.item, owner))
    key = owner[order] * part.n_items + part.item[order]
    order = order[np.diff(key, prepend=-1) != 0]
    order = order[np.lexsort((back[order], owner[order]))]
    return owner[order], part.item[order], back[order]

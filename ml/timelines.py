"""The newest events of each person and the newest neighbours of each node, as of any moment."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.dataset import UNKNOWN, Interactions

Table = NDArray[np.int32]


class Timelines:
    """
    Looks back from a cutoff without copying the log: events at or after it do not exist.

    Everything is positions in ``data``, which is sorted by time, so "before the cutoff" is "a
    smaller position". For each event we keep the position of the next event of the same pair; an
    event is its pair's newest one at a cutoff exactly when that next position lies behind it.
    """

    def __init__(self, data: Interactions) -> None:
        """Sort once by person, by item and by pair."""
        self.data = data
        n = len(data)
        pair = data.pair
        order = np.argsort(pair, kind="stable")
        again = pair[order[1:]] == pair[order[:-1]]
        self._next = np.full(n, n, np.int64)
        self._next[order[:-1][again]] = order[1:][again]
        self._by_user = np.argsort(data.user, kind="stable")
        self._by_item = np.argsort(data.item, kind="stable")

    def last_events(self, cutoff: int, steps: int) -> Table:
        """
        The last events of every person, oldest first from column 0 on.

        Returns:
            (U, steps) int32, positions of events; -1 fills the rest of a row.
        """
        end = self.data.position(cutoff)
        order = self._by_user[self._by_user < end]
        return _newest(order, self.data.user[order], self.data.n_users, steps)

    def items_of_users(self, cutoff: int, count: int) -> Table:
        """(U, count) int32: the latest distinct items of every person, -1 fills the rest."""
        order = self._latest_of_pairs(self._by_user, cutoff)
        rows = _newest(order, self.data.user[order], self.data.n_users, count)
        return _look_up(self.data.item, rows)

    def users_of_items(self, cutoff: int, count: int) -> Table:
        """(V, count) int32: the latest distinct people of every item, -1 fills the rest."""
        order = self._latest_of_pairs(self._by_item, cutoff)
        rows = _newest(order, self.data.item[order], self.data.n_items, count)
        return _look_up(self.data.user, rows)

    def _latest_of_pairs(self, order: NDArray[Any], cutoff: int) -> NDArray[Any]:
        """Of an order of events, those before the cutoff that are their pair's newest there."""
        end = self.data.position(cutoff)
        found: NDArray[Any] = order[(order < end) & (self._next[order] >= end)]
        return found


def _newest(order: NDArray[Any], group: NDArray[Any], n_groups: int, count: int) -> Table:
    """The last ``count`` entries of each group; ``order`` is grouped, oldest first within."""
    sizes = np.bincount(group, minlength=n_groups)
    from_end = np.cumsum(sizes)[group] - 1 - np.arange(len(order))
    kept = from_end < count
    column = np.minimum(sizes, count)[group] - 1 - from_end
    table = np.full((n_groups, count), UNKNOWN, np.int32)
    table[group[kept], column[kept]] = order[kept]
    return table


def _look_up(values: NDArray[np.int32], rows: Table) -> Table:
    """``values`` at ``rows``; -1 stays -1."""
    if not len(values):
        return rows
    return np.where(rows >= 0, values[rows], UNKNOWN).astype(np.int32)

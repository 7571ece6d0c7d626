"""One period of a history, seen from just before it starts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.distinct import distinct
from ml.intent.history import History
from ml.intent.spells import Numbers, Renewal, Rows, Spells

Columns = dict[str, NDArray[Any]]
"""Name of a column to its (P,) values."""

RECENCY = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17)
"""Upper ends, in periods, of the bins of the time since the last purchase; one more above."""

COUNT = (1, 2, 3, 5, 9)
"""Upper ends of the bins of purchase days in the window; one more above."""

PHASE = (0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.25, 1.6, 2.2, 3.5)
"""Upper ends of the bins of the elapsed share of the expected gap; one more above."""

N_RECENCY, N_COUNT, N_PHASE = len(RECENCY) + 2, len(COUNT) + 2, len(PHASE) + 2
"""The last bin of each is that of pairs that were never bought."""


@dataclass(frozen=True, slots=True)
class State:
    """
    All pairs of a period's pool in a few bins, and what became of them.

    Shapes, P pairs:
        user, item: (P,) int32
        recency, count, phase: (P,) int8, bins
        bought: (P,) bool, in the period; known to later periods alone
        mailed: (P,) bool, advertised in the person's store in the period
    """

    user: Rows
    item: Rows
    recency: Rows
    count: Rows
    phase: Rows
    bought: Rows
    mailed: Rows


class Moment:
    """
    Period ``period`` as known at its start, for chosen pairs.

    Shapes:
        user, item: (P,) int64, the pairs; without a choice all that were touched in the window
        spot: (P,) positions in ``history.bought`` (its K where not bought before)
    """

    def __init__(self, history: History, period: int, pairs: Rows | None = None) -> None:
        """Pairs are numbers person * V + item."""
        self.history, self.period = history, period
        self.now = period * history.config.horizon_days
        self.first = max(period - history.config.window, 0)
        spells = history.touched
        self.pool = distinct(spells.group[spells.within(self.first, period)])
        self.pairs = spells.key[self.pool] if pairs is None else np.asarray(pairs, np.int64)
        self._look_up()

    def choose(self, rows: Rows) -> None:
        """Go on with some of the pairs, by mask or positions."""
        self.pairs = self.pairs[rows]
        self._look_up()

    def _look_up(self) -> None:
        history = self.history
        self.user, self.item = np.divmod(self.pairs, history.n_items)
        spot = history.bought.find(self.pairs)
        # A row of its own would tell that a pair is going to be bought some day.
        later = history.first_bought[spot] >= self.period
        self.spot = np.where(later, len(history.bought.key), spot)
        self.kind = history.levels.kind[self.item].astype(np.int64)
        self.category = history.levels.category[self.item].astype(np.int64)
        self.department = history.levels.department[self.item].astype(np.int64)

    def renewal(self, spells: Spells) -> Renewal:
        """Silences of any groups within the window."""
        return Renewal.of(spells, self.first, self.period, self.history.config.horizon_days)

    @cached_property
    def pair(self) -> Renewal:
        """Silences of the bought pairs."""
        return self.renewal(self.history.bought)

    @cached_property
    def trips(self) -> Renewal:
        """Silences of the people; row = position in ``history.trips``."""
        return self.renewal(self.history.trips)

    @property
    def label(self) -> Rows:
        """(P,) bool, bought in the period itself."""
        return self.history.bought.active(self.period)[self.history.bought.find(self.pairs)]

    @cached_property
    def item_gap(self) -> Numbers:
        """(V,) days between purchases of an item by one person, drawn to its kind's mean."""
        history, pair = self.history, self.pair
        item = np.append(history.bought.key % history.n_items, 0)
        kind, kinds = history.levels.kind, int(history.levels.kind.max(initial=0)) + 1
        count = np.maximum(pair.n - 1, 0)
        mean = pair.gaps.sum() / max(count.sum(), 1)
        of_kind = np.bincount(kind[item], pair.gaps, kinds) + 10 * mean
        of_kind /= np.bincount(kind[item], count, kinds) + 10
        of_item = np.bincount(item, pair.gaps, history.n_items) + 10 * of_kind[kind]
        found: Numbers = of_item / (np.bincount(item, count, history.n_items) + 10)
        return found

    @cached_property
    def expected_gap(self) -> Numbers:
        """(K + 1,) days between purchases of a pair, drawn to its item's mean."""
        item = np.append(self.history.bought.key % self.history.n_items, 0)
        own: Numbers = (self.pair.gaps + 2 * self.item_gap[item]) / (
            np.maximum(self.pair.n - 1, 0) + 2
        )
        return own

    @cached_property
    def main_store(self) -> Rows:
        """(U,) the store with most baskets, the latest eight periods three times; -1: none."""
        history = self.history
        known = history.known_stores(self.period)
        rows = history.rows(self.first, self.period)
        cell = history.user[rows] * history.n_stores + history.store[rows]
        basket = distinct(cell * 10_000 + history.day[rows])
        weight = np.where(basket % 10_000 >= self.now - 8 * history.config.horizon_days, 3.0, 1.0)
        worth = np.bincount(basket // 10_000, weight, history.n_users * history.n_stores)
        worth = worth.reshape(history.n_users, history.n_stores) * known
        return np.where(worth.max(axis=1) > 0, worth.argmax(axis=1), -1)

    def flags_of(self, user: Rows, item: Rows) -> tuple[Rows, Rows]:
        """(P,) kinds of leaflet and display in the person's main store in the period; 0: none."""
        if self.history.promotions is None:
            return np.zeros(len(user), np.int8), np.zeros(len(user), np.int8)
        leaflet, display = self.history.flags(self.period)
        store = self.main_store[user]
        here = store >= 0
        found = [
            np.where(here, grid[store, item], 0).astype(np.int8) for grid in (leaflet, display)
        ]
        return found[0], found[1]

    @cached_property
    def state(self) -> State:
        """The whole pool in bins; kept by the history for later periods."""
        return self.history.once(("state", self.period), self._state)

    def _state(self) -> State:
        history = self.history
        pairs = history.touched.key[self.pool]
        user, item = np.divmod(pairs, history.n_items)
        spot = history.bought.find(pairs)
        recency, count, phase = self.bins(spot)
        return State(
            user=user.astype(np.int32),
            item=item.astype(np.int32),
            recency=recency,
            count=count,
            phase=phase,
            bought=history.bought.active(self.period)[spot],
            mailed=self.flags_of(user, item)[0] > 0,
        )

    def bins(self, spot: Rows) -> tuple[Rows, Rows, Rows]:
        """(P,) int8 bins of recency, count and phase of pairs by position."""
        pair = self.pair
        since = self.period - pair.last_period[spot]
        never = pair.n[spot] == 0
        ratio = np.nan_to_num(pair.elapsed[spot] / self.expected_gap[spot])
        found = []
        for edges, value in ((RECENCY, since), (COUNT, pair.n[spot]), (PHASE, ratio)):
            one = np.searchsorted(edges, value)
            found.append(np.where(never, len(edges) + 1, one).astype(np.int8))
        return found[0], found[1], found[2]

"""The eight features of (person, item) pairs: one implementation for training and for serving."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import N_CODES, VIEWING, Weights, usual_weights
from ml.config import DAY_MS
from ml.distinct import find, numbered
from ml.features.items import MONTH_MS, SMOOTHING, ItemCounters, carted_then_bought
from ml.features.names import FEATURES

DECAY_DAYS = 7.0
"""Touches count exp(-age / 7 d)."""

Some = NDArray[np.int64] | slice
"""Items by position, or all of them."""

CATEGORIES = 1 << 31
"""More than there can be; a person's number times this leaves room for a category's."""


@dataclass(frozen=True)
class Window:
    """
    The events that features look at: oldest first, all before the cutoff, all inside the window.

    Shapes, N events: user, item (N,) int; code (N,) int8; ts (N,) int64; price (N,) float32.
    ``n_items`` and ``category`` (V,) describe the items, ``days`` is the window's length,
    ``weights`` the strength of one event by code.
    """

    user: NDArray[Any]
    item: NDArray[Any]
    code: NDArray[np.int8]
    ts: NDArray[np.int64]
    price: NDArray[np.float32]
    n_users: int
    category: NDArray[np.int32]
    days: int
    weights: Weights = field(default_factory=usual_weights)

    @property
    def n_items(self) -> int:
        """Number of items of the shop."""
        return len(self.category)

    @cached_property
    def pair(self) -> NDArray[np.int64]:
        """(N,) the pair of each event: person * V + item."""
        pair: NDArray[np.int64] = self.user.astype(np.int64) * self.n_items + self.item
        return pair

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The different pairs, ascending, and (N,) the place of each event's pair among them."""
        return numbered(self.pair)


class PairFeatures:
    """
    Answers the features of any pairs at one cutoff.

    Counts and days are given as log(1 + x), as the model takes them; standardising is the
    model's own affair. Sums per person, per (person, category) and per pair are made once; a
    question is a look-up.

    Attributes:
        window: what was summed up.
    """

    def __init__(self, window: Window, counters: ItemCounters, cutoff: int) -> None:
        """Sum the window up."""
        self.window = window
        self._counters = counters
        self._age_days = np.maximum(cutoff - window.ts, 0) / DAY_MS
        self._events = np.bincount(window.user, minlength=window.n_users)
        recent = self._age_days <= MONTH_MS / DAY_MS
        self._activity = np.bincount(window.user[recent], minlength=window.n_users)
        self._carts, self._carts_bought = self._count_carts()
        self._mean_price = self._prices()
        self._sum_pairs()
        self._sum_categories()

    def of(self, user: NDArray[Any], item: NDArray[Any]) -> NDArray[np.float32]:
        """
        The features of pairs.

        Shapes:
            user, item: (P,) int
            returns:    (P, 8) float32, columns as ``FEATURES``; always finite
        """
        out = np.zeros((len(user), len(FEATURES)), np.float32)
        pair = user.astype(np.int64) * self.window.n_items + item
        spot = find(self._pairs, pair)
        own_days, decayed = self._pair_days[spot], self._pair_decayed[spot]
        spot = find(self._cells, self._cell(user, item))
        days = np.where(np.isnan(own_days), self._cell_days[spot], own_days)
        out[:, 0] = np.log1p(self._activity)[user]
        out[:, 2] = self._cell_events[spot] / np.maximum(self._events, 1)[user]
        out[:, 3] = np.log1p(np.fmin(days, self.window.days))
        out[:, 4] = np.sign(decayed) * np.log1p(np.abs(decayed))
        self._fill(out, self._counters, user, item)
        return out

    def by(
        self,
        counters: ItemCounters,
        features: NDArray[np.float32],
        user: NDArray[Any],
        item: NDArray[Any],
    ) -> NDArray[np.float32]:
        """
        The features of the same pairs by other counters of the items.

        Args:
            features: what ``of`` gave; what does not depend on the counters is taken from it.
        """
        out = features.copy()
        self._fill(out, counters, user, item)
        return out

    def _fill(
        self,
        out: NDArray[np.float32],
        counters: ItemCounters,
        user: NDArray[Any],
        item: Some,
    ) -> None:
        """The columns that depend on the counters of the items."""
        out[:, 1] = self._cart_to_buy(counters)[user]
        out[:, 5] = counters.conversion[item]
        out[:, 6] = self._price_ratio(counters, user, item)
        out[:, 7] = counters.slope[item]

    def of_items(self, rows: Some) -> NDArray[np.float32]:
        """
        The features of the window's only person and some items; the same numbers, far faster.

        Most items were never touched, so their columns are one number per category or per item.

        Shapes:
            rows:    (P,) different items, ascending, or a slice of all
            returns: (P, 8) float32
        """
        window, counters = self.window, self._counters
        category = window.category[rows]
        out = np.zeros((len(category), len(FEATURES)), np.float32)
        out[:, 0] = np.log1p(self._activity)[0]
        self._fill(out, counters, np.zeros(1, np.int64), rows)
        share, days = self._by_category(int(category.max(initial=0)))
        out[:, 2] = share[category]
        out[:, 3] = np.log1p(days)[category]
        at, spot = self.touched_among(rows)
        decayed = self._pair_decayed[spot]
        out[at, 3] = np.log1p(np.minimum(self._pair_days[spot], window.days))
        out[at, 4] = np.sign(decayed) * np.log1p(np.abs(decayed))
        return out

    def touched_among(self, rows: Some) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """
        Which of some items the window's only person has touched inside it.

        Shapes:
            rows: as ``of_items`` takes them; returns (T,) positions in ``rows``, and (T,) the
                places of those items among all that were touched.
        """
        all_touched = np.arange(len(self._pairs))
        if isinstance(rows, slice):
            return self._pairs, all_touched
        at = find(rows, self._pairs)
        is_there = at < len(rows)
        return at[is_there], all_touched[is_there]

    def _by_category(self, last: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(C + 1,) twice, of the window's only person; the last is for items without category."""
        n = max(last, int(self._cells.max(initial=0))) + 2
        share, days = np.zeros(n), np.full(n, float(self.window.days))
        share[self._cells] = self._cell_events[:-1] / max(int(self._events[0]), 1)
        days[self._cells] = np.minimum(self._cell_days[:-1], self.window.days)
        return share, days

    def is_touched(self, user: NDArray[Any], item: NDArray[Any]) -> NDArray[np.bool_]:
        """(P,) whether the person touched the item inside the window."""
        pair = user.astype(np.int64) * self.window.n_items + item
        return find(self._pairs, pair) < len(self._pairs)

    def _sum_pairs(self) -> None:
        code = np.clip(self.window.code, 0, N_CODES - 1)
        worth = self.window.weights[code] * np.exp(-self._age_days / DECAY_DAYS)
        self._pairs, inverse = self.window.pairs
        self._pair_decayed = np.append(np.bincount(inverse, worth, len(self._pairs)), 0.0)
        self._pair_days = np.full(len(self._pairs) + 1, np.nan)
        # Events are in order of time and numpy keeps the last of repeated positions.
        self._pair_days[inverse] = self._age_days

    def _sum_categories(self) -> None:
        cell = self._cell(self.window.user, self.window.item)
        known = cell >= 0
        self._cells, inverse = numbered(cell[known])
        self._cell_events = np.append(np.bincount(inverse, minlength=len(self._cells)), 0)
        self._cell_days = np.full(len(self._cells) + 1, np.nan)
        self._cell_days[inverse] = self._age_days[known]

    def _cell(self, user: NDArray[Any], item: NDArray[Any]) -> NDArray[np.int64]:
        """One number per (person, category); -1 where the item has no category."""
        category = self.window.category[item].astype(np.int64)
        return np.where(category >= 0, user.astype(np.int64) * CATEGORIES + category, -1)

    def _count_carts(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """(U,) twice: pairs that were put into a cart, and those of them that were bought."""
        n = self.window.n_users
        carted, bought = carted_then_bought(self.window.pair, self.window.code)
        owner = carted // max(self.window.n_items, 1)
        return np.bincount(owner, minlength=n), np.bincount(owner[bought], minlength=n)

    def _cart_to_buy(self, counters: ItemCounters) -> NDArray[np.float64]:
        smooth = SMOOTHING * counters.cart_to_buy
        return (self._carts_bought + smooth) / (self._carts + SMOOTHING)

    def _prices(self) -> NDArray[np.float64]:
        """(U,) mean price of what the person looked at; NaN where no price was seen."""
        price = self.window.price
        seen = VIEWING[np.clip(self.window.code, 0, N_CODES - 1)] & ~np.isnan(price)
        user = self.window.user[seen]
        count = np.bincount(user, minlength=self.window.n_users)
        total = np.bincount(user, price[seen].astype(np.float64), self.window.n_users)
        mean: NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return mean

    def _price_ratio(
        self, counters: ItemCounters, user: NDArray[Any], item: Some
    ) -> NDArray[np.float64]:
        ratio: NDArray[np.float64] = counters.log_price[item] - np.log(self._mean_price)[user]
        ratio[~np.isfinite(ratio)] = 0.0
        return ratio

"""
Columns of (person, item) pairs out of plain counting, for any shop.

In training, ``counter_table`` asks about every pair that was touched before a cutoff. In serving,
``pair_columns`` asks about one person's pairs from that person's events and a stored ``ItemSide``.
Both are the same code.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import PURCHASE
from ml.config import DAY_MS
from ml.dataset import Interactions
from ml.distinct import distinct, find, numbered
from ml.evaluation.pools import window_before
from ml.features.names import FEATURES
from ml.features.pairs import CATEGORIES, PairFeatures, Window
from ml.intent.item_side import ITEM_COLUMNS, ItemSide, item_side
from ml.intent.table import Table
from ml.intent.tallies import BACK, BUY, CART, FAVOURITE, LOOK, Ages, Rows, Tally, smoothed

PAIR_COLUMNS: tuple[str, ...] = (
    "pair_look_1d",
    "pair_look_3d",
    "pair_look_7d",
    "pair_look_14d",
    "pair_look_30d",
    "pair_look_all",
    "pair_favourite_7d",
    "pair_favourite_all",
    "pair_cart_3d",
    "pair_cart_14d",
    "pair_cart_all",
    "pair_buy_7d",
    "pair_buy_30d",
    "pair_buy_all",
    "pair_back_all",
    "pair_days",
    "pair_buy_days",
    "pair_since_first",
    "pair_since_look",
    "pair_since_favourite",
    "pair_since_cart",
    "pair_since_buy",
    "pair_gap_ratio",
    "pair_buy_gap_ratio",
    "pair_share_7d",
    "pair_share_all",
    "pair_rank",
    "pair_decayed_30d",
)
"""Columns of the person's own events on the item."""

CATEGORY_COLUMNS: tuple[str, ...] = (
    "category_look_7d",
    "category_look_all",
    "category_buy_30d",
    "category_buy_all",
    "category_since_touch",
    "category_since_buy",
)
"""Columns of the person's events in the item's category; NaN where the item has none."""

PERSON_COLUMNS: tuple[str, ...] = (
    "person_look_1d",
    "person_look_7d",
    "person_look_all",
    "person_cart_7d",
    "person_buy_7d",
    "person_buy_30d",
    "person_buy_all",
    "person_days",
    "person_items",
    "person_since_touch",
    "person_since_buy",
    "person_conversion",
    "person_repeat",
)
"""Columns that do not depend on the item."""

COUNTERS: tuple[str, ...] = (
    *FEATURES,
    *PAIR_COLUMNS,
    *CATEGORY_COLUMNS,
    *PERSON_COLUMNS,
    *ITEM_COLUMNS,
)
"""All columns: counts and days as log(1 + x), NaN where something never happened."""

_PAIR_TIMES = (
    *((LOOK, days) for days in (1, 3, 7, 14, 30, None)),
    *((FAVOURITE, days) for days in (7, None)),
    *((CART, days) for days in (3, 14, None)),
    *((BUY, days) for days in (7, 30, None)),
    (BACK, None),
)
_CATEGORY_TIMES = (*((LOOK, days) for days in (7, None)), *((BUY, days) for days in (30, None)))
_PERSON_TIMES = (
    *((LOOK, days) for days in (1, 7, None)),
    (CART, 7),
    *((BUY, days) for days in (7, 30, None)),
)


def counter_table(
    data: Interactions,
    cutoff: int,
    *,
    window_days: int = 60,
    horizon_days: int | None = None,
    pairs: NDArray[np.int64] | None = None,
    side: ItemSide | None = None,
) -> Table:
    """
    Pairs at a cutoff with their counters, from events before it alone.

    Args:
        horizon_days: label = bought within so many days from the cutoff on; without it all False.
        pairs: numbers person * V + item; without it every pair touched in the window (pool A1).
        side: of an earlier call with the same cutoff and window.
    """
    window = window_before(data, cutoff, window_days)
    if pairs is None:
        pairs = distinct(window.user.astype(np.int64) * data.n_items + window.item)
    user = (pairs // data.n_items).astype(np.int32)
    item = (pairs % data.n_items).astype(np.int32)
    side = side or item_side(data, cutoff, window_days)
    return Table(
        cutoff=np.full(len(pairs), cutoff, np.int64),
        user=user,
        item=item,
        label=_bought(data, cutoff, horizon_days, pairs),
        weight=np.ones(len(pairs), np.float32),
        values=pair_columns(window, side, user, item),
        names=COUNTERS,
    )


def pair_columns(
    window: Window,
    side: ItemSide,
    user: Rows,
    item: Rows,
    *,
    moment: int | None = None,
    features: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """
    The counters of any pairs.

    Args:
        window: the events of all people that are asked about, oldest first, inside the window.
        side: the items; in serving a little older than the events.
        moment: "now" in milliseconds UTC; without it the cutoff of ``side``.
        features: (P, 8) of the pairs by the counters of ``side``, where somebody has them already.

    Shapes:
        user, item: (P,) int, positions in the window's people and in the items of ``side``
        returns:    (P, 67) float32, columns as ``COUNTERS``
    """
    moment = side.cutoff if moment is None else moment
    people = _People.of(window, side, moment)
    if features is None:
        features = PairFeatures(window, side.counters, moment).of(user, item)
    parts = [
        features,
        people.pairs(user, item),
        people.categories(user, item),
        people.each()[user],
        side.columns[item],
    ]
    return np.concatenate(parts, axis=1, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _People:
    """The events of some people, summed up by pair, by category and by person."""

    window: Window
    side: ItemSide
    pair_keys: NDArray[np.int64]
    cell_keys: NDArray[np.int64]
    pair: Tally
    category: Tally
    person: Tally
    rank: Rows
    decayed: Rows

    @classmethod
    def of(cls, window: Window, side: ItemSide, moment: int) -> "_People":
        ages = Ages.of(window.code, window.ts, moment, side.window_days)
        known, row = window.pairs
        category = side.category[window.item]
        inside = np.flatnonzero(category >= 0)
        cells, cell = numbered(_cell(window.user[inside], category[inside]))
        everything = np.arange(len(row))
        pair, of_category, person = Tally.side_by_side(
            [
                (row, len(known), everything),
                (cell, len(cells), inside),
                (window.user, window.n_users, everything),
            ],
            ages,
        )
        code = np.clip(window.code, 0, len(window.weights) - 1)
        worth = window.weights[code] * np.exp(-ages.age / 30)
        owner = known // max(window.n_items, 1)
        return cls(
            window=window,
            side=side,
            pair_keys=known,
            cell_keys=cells,
            pair=pair,
            category=of_category,
            person=person,
            rank=np.append(_rank(owner, pair.newest[:-1, -1]), np.nan),
            decayed=np.bincount(row, worth, len(known) + 1),
        )

    def pairs(self, user: Rows, item: Rows) -> Rows:
        """(P, 28) as ``PAIR_COLUMNS``."""
        spot = find(self.pair_keys, user.astype(np.int64) * self.window.n_items + item)
        pair = self.pair
        elapsed = pair.newest[:, -1]
        gap = (pair.oldest - elapsed) / np.where(pair.days > 1, pair.days - 1, np.nan)
        columns = [
            *pair.times(_PAIR_TIMES),
            pair.days,
            pair.buy_days,
            pair.oldest,
            *(pair.newest[:, kind] for kind in (LOOK, FAVOURITE, CART, BUY)),
            elapsed / np.maximum(gap, 1.0),
            pair.newest[:, BUY] / np.maximum(pair.buy_gap, 1.0),
        ]
        own = np.log1p(np.stack(columns, axis=1))[spot]
        shares = [
            pair.total(days)[spot]
            / np.where(self.person.total(days) > 0, self.person.total(days), np.nan)[user]
            for days in (7, None)
        ]
        rest = [
            *shares,
            self.rank[spot],
            np.sign(self.decayed[spot]) * np.log1p(np.abs(self.decayed[spot])),
        ]
        return np.concatenate([own, np.stack(rest, axis=1)], axis=1)

    def categories(self, user: Rows, item: Rows) -> Rows:
        """(P, 6) as ``CATEGORY_COLUMNS``."""
        category, tally = self.side.category[item], self.category
        columns = [*tally.times(_CATEGORY_TIMES), tally.newest[:, -1], tally.newest[:, BUY]]
        spot = find(self.cell_keys, _cell(user, category))
        found: Rows = np.log1p(np.stack(columns, axis=1))[spot]
        found[category < 0] = np.nan
        return found

    def each(self) -> Rows:
        """(U + 1, 13) as ``PERSON_COLUMNS``."""
        person, n = self.person, self.window.n_users
        owner, buys = self.pair_keys // max(self.window.n_items, 1), self.pair.buy_days[:-1]
        items = np.bincount(owner, minlength=n + 1)
        bought = np.bincount(owner, buys > 0, n + 1)
        columns = [
            *person.times(_PERSON_TIMES),
            person.days,
            items,
            person.newest[:, -1],
            person.newest[:, BUY],
        ]
        rates = [
            smoothed(bought, items, self.side.conversion),
            smoothed(np.bincount(owner, buys > 1, n + 1), bought, self.side.repeat),
        ]
        each: Rows = np.concatenate(
            [np.log1p(np.stack(columns, axis=1)), np.stack(rates, axis=1)], axis=1
        )
        return each


def _cell(user: Rows, category: Rows) -> NDArray[np.int64]:
    """One number per person and category."""
    return user.astype(np.int64) * CATEGORIES + category


def _rank(owner: Rows, elapsed: Rows) -> Rows:
    """How many of the person's items were touched later than this one, as log(1 + x)."""
    order = np.lexsort((elapsed, owner))
    sorted_owner, sorted_age = owner[order], elapsed[order]
    place = np.arange(len(order))
    is_first = np.ones(len(order), bool)
    is_first[1:] = (sorted_owner[1:] != sorted_owner[:-1]) | (sorted_age[1:] != sorted_age[:-1])
    begins = np.ones(len(order), bool)
    begins[1:] = sorted_owner[1:] != sorted_owner[:-1]
    start = np.maximum.accumulate(np.where(begins, place, 0))
    rank = np.empty(len(order))
    rank[order] = np.log1p(np.maximum.accumulate(np.where(is_first, place, 0)) - start)
    return rank


def _bought(data: Interactions, cutoff: int, horizon_days: int | None, pairs: Rows) -> Rows:
    if horizon_days is None:
        return np.zeros(len(pairs), bool)
    after = data.between(cutoff, cutoff + horizon_days * DAY_MS)
    return np.isin(pairs, after.pair[after.code == PURCHASE])

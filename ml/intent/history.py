"""A shop's log on a grid of periods, so that any period can be asked about from before it."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import PURCHASE
from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.intent.promotions import EVERYWHERE, Promotions
from ml.intent.receipts import Receipts
from ml.intent.spells import Rows, Spells

LEVEL = " > "
"""Separates the levels of a category's name, widest first."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentConfig:
    """
    The question and how far back its columns look.

    Attributes:
        horizon_days: the period: bought within so many days?
        window: periods that make a pair one that is asked about.
        training: periods that are learned from, the latest ones.
        warm_up: periods before the first one that is learned from, for rates and sub-models.
        negative_share: share of the unbought pairs that is learned from.
        block: periods that share a fit of the sub-models.
    """

    horizon_days: int = 7
    window: int = 26
    training: int = 21
    warm_up: int = 9
    negative_share: float = 0.25
    block: int = 3


@dataclass(frozen=True, slots=True)
class Levels:
    """
    Item groups, narrow to wide.

    Shapes:
        kind, category, department: (V,) int32, all at least 0
    """

    kind: NDArray[np.int32]
    category: NDArray[np.int32]
    department: NDArray[np.int32]

    @property
    def narrow(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Kind and category."""
        return self.kind, self.category

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Levels":
        """From category names such as ``food > fruit > apples``; short ones repeat themselves."""
        paths = [name.split(LEVEL) for name in catalogue.category_names] + [["?"]]
        columns = []
        for depth in (3, 2, 1):
            _, code = np.unique([LEVEL.join(path[:depth]) for path in paths], return_inverse=True)
            columns.append(code.astype(np.int32)[catalogue.category])
        return cls(*columns)


@dataclass(frozen=True)
class History:
    """
    The log on the grid: period t holds [start + t * horizon, start + (t + 1) * horizon).

    Whoever looks at period t uses rows with ``period < t`` alone, and promotions of t, which are
    plans. Nothing here depends on later events but the numbering of groups.

    Shapes, N events, B purchases:
        asked: (V,) bool, items that are asked about
        user, item, day, period, price, discount, quantity, store: (B,) purchases, oldest first
        mailed, shown: (B,) int8, kind of leaflet and display the purchase was made under
        touched, bought: (person, item), asked items alone; ``touched`` counts any behaviour
        trips, by_kind, by_category, by_department: people's purchases of anything there
    """

    config: IntentConfig
    start: int
    n_users: int
    n_items: int
    levels: Levels
    asked: NDArray[np.bool_]
    user: Rows
    item: Rows
    day: Rows
    period: Rows
    price: Rows
    discount: Rows
    quantity: Rows
    store: Rows
    mailed: Rows
    shown: Rows
    touched: Spells
    bought: Spells
    trips: Spells
    by_kind: Spells
    by_category: Spells
    by_department: Spells
    promotions: Promotions | None
    n_stores: int
    _kept: dict[Hashable, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        data: Interactions,
        cutoff: int,
        config: IntentConfig,
        *,
        promotions: Promotions | None = None,
        receipts: Receipts | None = None,
        asked: NDArray[np.bool_] | None = None,
    ) -> "History":
        """
        Lay the grid so that one of its periods starts at ``cutoff``.

        Args:
            data: may reach beyond the cutoff, so that later periods have labels.
        """
        period_ms = config.horizon_days * DAY_MS
        start = cutoff - -(-(cutoff - int(data.ts[0])) // period_ms) * period_ms
        rows = np.flatnonzero(data.code == PURCHASE)
        receipts = (receipts or Receipts.plain(len(data))).take(rows)
        asked = np.ones(data.n_items, bool) if asked is None else asked
        day = ((data.ts - start) // DAY_MS).astype(np.int32)
        levels, n = Levels.of(data.catalogue), data.n_items
        user, item = data.user[rows].astype(np.int64), data.item[rows].astype(np.int64)
        inside = asked[item]

        def spells(key: Rows, days: Rows) -> Spells:
            return Spells.of(key, days, config.horizon_days)

        bought = spells((user * n + item)[inside], day[rows][inside])
        only = len(rows) == len(data)
        everything = asked[data.item]
        touched = bought if only else spells(data.pair[everything], day[everything])
        n_stores = int(receipts.store.max(initial=0)) + 1
        if promotions is not None:
            n_stores = max(n_stores, int(promotions.store.max(initial=EVERYWHERE)) + 1)
        found = cls(
            config=config,
            start=start,
            n_users=data.n_users,
            n_items=n,
            levels=levels,
            asked=asked,
            user=user,
            item=item,
            day=day[rows],
            period=day[rows] // config.horizon_days,
            price=data.price[rows],
            discount=receipts.discount,
            quantity=receipts.quantity,
            store=receipts.store,
            mailed=np.zeros(len(rows), np.int8),
            shown=np.zeros(len(rows), np.int8),
            touched=touched,
            bought=bought,
            trips=spells(user, day[rows]),
            by_kind=spells(user * _size(levels.kind) + levels.kind[item], day[rows]),
            by_category=spells(user * _size(levels.category) + levels.category[item], day[rows]),
            by_department=spells(
                user * _size(levels.department) + levels.department[item], day[rows]
            ),
            promotions=promotions,
            n_stores=n_stores,
        )
        if promotions is not None:
            found._mark_promoted()
        return found

    @cached_property
    def slot(self) -> Rows:
        """(V,) position among the asked items; the first for items that are not asked about."""
        slot: Rows = np.maximum(np.cumsum(self.asked) - 1, 0)
        return slot

    @cached_property
    def n_asked(self) -> int:
        """Number of items that are asked about."""
        return int(self.asked.sum())

    @cached_property
    def first_bought(self) -> Rows:
        """(K + 1,) period of the first purchase of each pair in ``bought``; a far one for none."""
        first = np.full(len(self.bought.key) + 1, np.iinfo(np.int32).max)
        first[self.bought.group[::-1]] = self.bought.period[::-1]
        return first

    def begins(self, period: int) -> int:
        """First moment of a period, milliseconds."""
        return self.start + period * self.config.horizon_days * DAY_MS

    def period_of(self, cutoff: int) -> int:
        """The period that starts at ``cutoff``; raises ``ValueError`` where none does."""
        period, rest = divmod(cutoff - self.start, self.config.horizon_days * DAY_MS)
        if rest:
            raise ValueError("no period of this history starts at that cutoff")
        return int(period)

    def rows(self, first: int, period: int) -> slice:
        """The purchases with first ≤ period of the purchase < period."""
        return slice(*np.searchsorted(self.period, [first, period]).tolist())

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` gives, remembered under ``key``."""
        if key not in self._kept:
            self._kept[key] = make()
        made: Made = self._kept[key]
        return made

    def remembers(self, key: Hashable) -> bool:
        """Whether something is kept under ``key``."""
        return key in self._kept

    def state(self, period: int) -> Any:
        """The remembered state of an earlier period; raises ``KeyError`` where there is none."""
        return self._kept[("state", period)]

    def forget(self) -> None:
        """Drop what was remembered."""
        self._kept.clear()

    def flags(self, period: int) -> tuple[Rows, Rows]:
        """(S, V) int8 kinds of leaflet and of display by store in a period; 0: none."""
        promotions = self.promotions
        assert promotions is not None
        return self.once(
            ("flags", period),
            lambda: promotions.grid(
                self.begins(period), self.begins(period + 1), self.n_stores, self.n_items
            ),
        )

    def known_stores(self, period: int) -> Rows:
        """(S,) bool, stores with a promotion of their own up to the end of the period."""
        assert self.promotions is not None
        known = np.zeros(self.n_stores, bool)
        end = int(np.searchsorted(self.promotions.start, self.begins(period + 1)))
        early = self.promotions.store[:end]
        known[early[early >= 0]] = True
        return known if known.any() else np.ones(self.n_stores, bool)

    def _mark_promoted(self) -> None:
        for period in np.unique(self.period).tolist():
            rows = self.rows(period, period + 1)
            leaflet, display = self.flags(period)
            self.mailed[rows] = leaflet[self.store[rows], self.item[rows]]
            self.shown[rows] = display[self.store[rows], self.item[rows]]
            self._kept.pop(("flags", period))


def _size(codes: Rows) -> int:
    return int(codes.max(initial=0)) + 1

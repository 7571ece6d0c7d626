"""What the whole shop says about each item as of a moment, in a form that can be stored."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.config import DAY_MS
from ml.dataset import Interactions
from ml.features.items import ItemCounters, item_counters
from ml.intent.tallies import BUY, CART, LOOK, Ages, Tally, smoothed

ITEM_COLUMNS: tuple[str, ...] = (
    "item_look_1d",
    "item_look_7d",
    "item_look_30d",
    "item_look_all",
    "item_cart_7d",
    "item_buy_7d",
    "item_buy_30d",
    "item_buy_all",
    "item_people",
    "item_since_touch",
    "item_since_buy",
    "item_repeat",
)
"""Columns that do not depend on the person."""

_STORED = ("price", "conversion", "slope", "week", "popularity")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSide:
    """
    The items at a cutoff, from events before it.

    Shapes, V items:
        columns:  (V, 12) float32, as ``ITEM_COLUMNS``; counts and days as log(1 + x), NaN: never
        category: (V,) int32, -1 where unknown
        counters: the arrays behind the eight features
    Attributes:
        cutoff: milliseconds UTC.
        window_days: how far back was counted; people's events are to be cut the same way.
        conversion: share of touched pairs that were bought, over the whole shop.
        repeat: share of bought pairs that were bought on more than one day.
    """

    cutoff: int
    window_days: int
    columns: NDArray[np.float32]
    category: NDArray[np.int32]
    counters: ItemCounters
    conversion: float
    repeat: float

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As named arrays for ``np.savez``, the inverse of ``from_arrays``; always finite."""
        shop = [self.conversion, self.repeat, self.counters.cart_to_buy]
        # No column and no price is negative, so -1 can stand for NaN; a slope can, but is known.
        stored: dict[str, NDArray[Any]] = {
            f"side_{name}": np.nan_to_num(getattr(self.counters, name), nan=-1.0)
            for name in _STORED
        }
        return stored | {
            "side_when": np.array([self.cutoff, self.window_days], np.int64),
            "side_shop": np.array(shop, np.float64),
            "side_columns": np.nan_to_num(self.columns, nan=-1.0),
            "side_category": self.category,
        }

    @classmethod
    def from_arrays(cls, arrays: Any) -> "ItemSide":
        """From stored arrays, by name."""
        conversion, repeat, cart_to_buy = arrays["side_shop"].tolist()
        cutoff, window_days = arrays["side_when"].tolist()
        stored = {name: arrays[f"side_{name}"] for name in _STORED}
        stored["price"] = _unknown(stored["price"])
        return cls(
            cutoff=cutoff,
            window_days=window_days,
            columns=_unknown(arrays["side_columns"]),
            category=arrays["side_category"],
            counters=ItemCounters(**stored, cart_to_buy=cart_to_buy),
            conversion=conversion,
            repeat=repeat,
        )


def item_side(data: Interactions, cutoff: int, window_days: int) -> ItemSide:
    """Count what everybody did in the window that ends before ``cutoff``."""
    window = data.between(cutoff - window_days * DAY_MS, cutoff)
    pairs, row = np.unique(window.pair, return_inverse=True)
    ages = Ages.of(window.code, window.ts, cutoff, window_days)
    pair = Tally.of(row, len(pairs), ages)
    item = Tally.of(window.item, data.n_items, ages)
    owner, buys = pairs % max(data.n_items, 1), pair.buy_days[:-1]
    bought, again = int((buys > 0).sum()), int((buys > 1).sum())
    repeat = again / max(bought, 1)
    columns = [
        *(np.log1p(item.count(LOOK, days)) for days in (1, 7, 30, None)),
        np.log1p(item.count(CART, 7)),
        *(np.log1p(item.count(BUY, days)) for days in (7, 30, None)),
        np.log1p(np.bincount(owner, minlength=data.n_items + 1)),
        np.log1p(item.newest[:, -1]),
        np.log1p(item.newest[:, BUY]),
        smoothed(
            np.bincount(owner, buys > 1, data.n_items + 1),
            np.bincount(owner, buys > 0, data.n_items + 1),
            repeat,
        ),
    ]
    return ItemSide(
        cutoff=cutoff,
        window_days=window_days,
        columns=np.stack(columns, axis=1)[:-1].astype(np.float32),
        category=data.catalogue.category,
        counters=item_counters(data, cutoff, window_days),
        conversion=bought / max(len(pairs), 1),
        repeat=repeat,
    )


def _unknown(stored: NDArray[np.float32]) -> NDArray[np.float32]:
    """NaN where -1 was stored."""
    return np.where(stored < 0, np.float32(np.nan), stored)

"""The shop's behaviour as arrays: who did what to which item, when, at what price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import Weights, usual_weights, weights_of
from ml.config import DAY_MS
from ml.errors import NotEnoughData

UNKNOWN = -1
"""Stands for "no category", "no brand", "no neighbour" in integer arrays."""


SILENCE_MS = 30 * DAY_MS
"""A silence of the whole shop that is longer than this is no ordinary night or holiday."""

STRAGGLERS = 0.001
"""Share of the events that may lie behind a silence without counting as the shop's present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """
    The items, beside their positions.

    Shapes:
        item_ids:   V texts
        category:   (V,)  int32, position in ``category_names``; -1 where unknown
        brand:      (V,)  int32, any code; -1 where unknown
        price:      (V,)  float32, minor units; NaN where unknown
        created_at: (V,)  int64, milliseconds UTC; 0 where unknown
    """

    item_ids: Sequence[str]
    category: NDArray[np.int32]
    category_names: Sequence[str]
    brand: NDArray[np.int32]
    price: NDArray[np.float32]
    created_at: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        item_ids: Sequence[str],
        *,
        categories: Sequence[str] | None = None,
        brands: Sequence[str | None] | None = None,
        prices: Sequence[float] | NDArray[Any] | None = None,
        created_at: Sequence[int] | NDArray[Any] | None = None,
    ) -> "Catalogue":
        """From texts; no category, no brand, and a price that is none mean unknown."""
        n = len(item_ids)
        names, category = _codes(categories, n)
        _, brand = _codes(brands, n)
        price = np.full(n, np.nan) if prices is None else np.asarray(prices, np.float64)
        made = np.zeros(n, np.int64) if created_at is None else np.asarray(created_at, np.int64)
        return cls(
            item_ids=item_ids,
            category=category,
            category_names=names,
            brand=brand,
            price=_prices(price),
            created_at=made,
        )

    def __len__(self) -> int:
        """Number of items."""
        return len(self.item_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interactions:
    """
    All item behaviour, oldest first; equal times stay in the order of arrival.

    Shapes, N events, U people, V items:
        user:  (N,)  int32, position in ``user_ids``
        item:  (N,)  int32, position in ``catalogue``
        code:  (N,)  int8, ``Behaviour.code``
        ts:    (N,)  int64, milliseconds UTC, never decreasing
        price: (N,)  float32, minor units of one piece; NaN where unknown
        weights: strength of one event by behaviour code
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    code: NDArray[np.int8]
    ts: NDArray[np.int64]
    price: NDArray[np.float32]
    user_ids: Sequence[str]
    catalogue: Catalogue
    weights: Weights = field(default_factory=usual_weights)

    @classmethod
    def of(
        cls,
        *,
        user: Any,
        item: Any,
        code: Any,
        ts: Any,
        price: Any = None,
        seq: Any = None,
        user_ids: Sequence[str],
        catalogue: Catalogue,
    ) -> "Interactions":
        """
        From columns in any order.

        Args:
            price: minor units; what is not finite and positive means unknown.
            seq: order of arrival; without it the given order breaks ties of time.
        """
        times = np.asarray(ts, np.int64)
        order = (
            np.argsort(times, kind="stable")
            if seq is None
            else np.lexsort((np.asarray(seq, np.int64), times))
        )
        raw = np.full(len(times), np.nan) if price is None else np.asarray(price, np.float64)
        built = cls(
            user=np.asarray(user, np.int32)[order],
            item=np.asarray(item, np.int32)[order],
            code=np.asarray(code, np.int8)[order],
            ts=times[order],
            price=_prices(raw)[order],
            user_ids=user_ids,
            catalogue=catalogue,
        )
        built.check()
        return built

    def check(self) -> None:
        """Refuse positions that point nowhere; raises ``ValueError``."""
        for name, column, size in (
            ("user", self.user, self.n_users),
            ("item", self.item, self.n_items),
        ):
            if len(column) and (column.min() < 0 or column.max() >= size):
                raise ValueError(f"column {name} points outside its {size} ids")
        if len({len(self.user), len(self.item), len(self.code), len(self.ts), len(self.price)}) > 1:
            raise ValueError("the columns differ in length")

    def __len__(self) -> int:
        """Number of events."""
        return len(self.ts)

    @property
    def n_users(self) -> int:
        """Number of people, with or without events."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of items, with or without events."""
        return len(self.catalogue)

    @property
    def pair(self) -> NDArray[np.int64]:
        """(N,) one number per (person, item)."""
        return self.user.astype(np.int64) * self.n_items + self.item

    @property
    def end_ms(self) -> int:
        """The first moment after the last event; raises ``NotEnoughData`` without events."""
        if not len(self):
            raise NotEnoughData("there are no events", events=0)
        return int(self.ts[-1]) + 1

    @property
    def settled_end_ms(self) -> int:
        """
        The first moment after the last event that is not a straggler.

        Stragglers are the few events behind a long silence: somebody tries the demo years after
        its data ends, or a shop reopens. They are kept and learned from, but a handful of them
        must not move the time that everybody else is seen from.
        """
        end, allowed = self.end_ms, int(len(self) * STRAGGLERS)
        for at in np.flatnonzero(np.diff(self.ts) > SILENCE_MS)[::-1].tolist():
            if len(self) - at - 1 > allowed:
                break
            end = int(self.ts[at]) + 1
        return end

    def weighed(self, changed: Mapping[str, float]) -> "Interactions":
        """The same behaviour with other strengths; raises ``ValueError`` as ``weights_of``."""
        return replace(self, weights=weights_of(changed)) if changed else self

    def position(self, cutoff: int) -> int:
        """How many events happened before ``cutoff``."""
        return int(np.searchsorted(self.ts, cutoff, side="left"))

    def between(self, start: int, end: int) -> "Interactions":
        """Events with start ≤ ts < end; views, nothing is copied."""
        part = slice(self.position(start), self.position(end))
        return Interactions(
            user=self.user[part],
            item=self.item[part],
            code=self.code[part],
            ts=self.ts[part],
            price=self.price[part],
            user_ids=self.user_ids,
            catalogue=self.catalogue,
            weights=self.weights,
        )

    def before(self, cutoff: int) -> "Interactions":
        """Events with ts < cutoff."""
        return self.between(int(np.iinfo(np.int64).min), cutoff)


def _prices(raw: NDArray[np.float64]) -> NDArray[np.float32]:
    """What is no price at all, such as 0 or infinity, is unknown."""
    return np.where(np.isfinite(raw) & (raw > 0), raw, np.nan).astype(np.float32)


def _codes(texts: Sequence[str | None] | None, n: int) -> tuple[list[str], NDArray[np.int32]]:
    """Sorted distinct texts, and for each row its position there (-1 where empty)."""
    if texts is None:
        return [], np.full(n, UNKNOWN, np.int32)
    rows = np.asarray([text or "" for text in texts], dtype=np.str_)
    names, codes = np.unique(rows, return_inverse=True)
    if len(names) and names[0] == "":
        return names[1:].tolist(), (codes - 1).astype(np.int32)
    return names.tolist(), codes.astype(np.int32)

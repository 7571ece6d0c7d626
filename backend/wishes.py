"""What a list must be like."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import orjson

from graph.domain.events import EventType
from graph.domain.ids import ItemId
from graph.shelf import OnShelf
from workers.intake.changes import Stamp

Scalar = str | int | float | bool
Scored = list[tuple[ItemId, float | None]]
"""Items with the model's scores, best first; ``None`` where it has none."""

DEPTH = 200
"""So many places are ranked at once; what is not shown now is for later pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """
    What items must be to be in a list; what is empty asks for nothing.

    Attributes:
        categories: at least one of them, or something below it.
        price_from, price_to: minor units, both included; an item without a price fits no bounds.
        attributes: each of these with exactly this value, or a list that holds it.
    """

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    price_from: int | None = None
    price_to: int | None = None
    attributes: tuple[tuple[str, Scalar], ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether everything fits."""
        return self == OPEN

    def fits(self, row: OnShelf) -> bool:
        """Whether an item is like that."""
        if self.categories and not any(row.is_within(one) for one in self.categories):
            return False
        if self.brands and row.brand not in self.brands:
            return False
        if not self._fits_price(row.price_minor):
            return False
        return not self.attributes or self._fits_attributes(row.attributes)

    def _fits_price(self, price: int | None) -> bool:
        if self.price_from is None and self.price_to is None:
            return True
        if price is None or price < (self.price_from or 0):
            return False
        return self.price_to is None or price <= self.price_to

    def _fits_attributes(self, text: str | None) -> bool:
        known = orjson.loads(text) if text else {}
        return all(
            _equals(known.get(name), value)
            or (
                isinstance(known.get(name), list)
                and any(_equals(one, value) for one in known[name])
            )
            for name, value in self.attributes
        )


OPEN = Filter()


def _equals(known: object, asked: Scalar) -> bool:
    # In Python True == 1, in JSON it is not.
    return isinstance(known, bool) == isinstance(asked, bool) and known == asked


class Kind(StrEnum):
    """What a boost is for."""

    ITEM = "item"
    CATEGORY = "category"
    BRAND = "brand"


@dataclass(frozen=True, slots=True)
class Boost:
    """Above 1 it lifts what it is for, below 1 it buries it."""

    kind: Kind
    value: str
    factor: float

    def is_for(self, item_id: ItemId, row: OnShelf) -> bool:
        """Whether it is for an item."""
        if self.kind is Kind.ITEM:
            return item_id == self.value
        return row.brand == self.value if self.kind is Kind.BRAND else row.is_within(self.value)


@dataclass(frozen=True, slots=True)
class Pin:
    """An item that the shop wants at a place, counted from 1."""

    item_id: ItemId
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    What a list must be like.

    Attributes:
        exclude: items that must not be in it.
        done: nor what the person has done one of these things with; ``None``: as configured.
        candidates: rank these and nothing else; those without a score come last, as they were
            sent.
        most_per_category, most_per_brand: so many places for one main category, or one brand.
        min_score: leave out what the model scores lower.
        is_explained: each reason comes with a query that shows it.
        stamp: how far the shop had come when it was asked.
    """

    limit: int
    exclude: frozenset[str] = frozenset()
    done: frozenset[EventType] | None = None
    only: Filter = OPEN
    candidates: tuple[ItemId, ...] = ()
    boosts: tuple[Boost, ...] = ()
    pins: tuple[Pin, ...] = ()
    most_per_category: int | None = None
    most_per_brand: int | None = None
    min_score: float | None = None
    is_explained: bool = False
    stamp: Stamp | None = field(default=None, compare=False)

    def having(self, **changes: Any) -> "Wish":
        """The same with other values of some fields."""
        return replace(self, **changes)

    @property
    def category(self) -> str | None:
        """The category, where exactly one is asked for."""
        return self.only.categories[0] if len(self.only.categories) == 1 else None

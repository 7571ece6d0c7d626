"""How a storefront asks for a list."""

from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from backend.parsing import Limit, Taken
from backend.wishes import Boost, Filter, Kind, Pin, Wish
from graph.domain.events import ITEM_BEHAVIOURS, EventType
from graph.domain.ids import ItemId
from graph.events import PastEvent
from workers.intake.schema import KnownId, Minor, Text, Time

Excluded = Annotated[
    list[KnownId],
    Field(max_length=1000, description="items to leave out; may be repeated"),
]
Price = Annotated[int, Field(ge=0, le=10**15, description="minor units, included")]
Most = Annotated[int, Field(ge=1, le=100)]
Behaviours = Annotated[
    list[EventType],
    Field(
        max_length=len(EventType),
        description="leave out what the person has done this with; by default as configured",
    ),
]


class ListAsked(Taken):
    """What a list must be like, as far as it fits into a query."""

    limit: Limit = 10
    category: Text | None = Field(default=None, description="only items of this category")
    brand: Text | None = Field(default=None, description="only items of this brand")
    price_from: Price | None = None
    price_to: Price | None = None
    exclude: Excluded = Field(default_factory=list)
    max_per_category: Most | None = Field(default=None, description="places for one main category")
    max_per_brand: Most | None = Field(default=None, description="places for one brand")

    def only(self) -> Filter:
        """What items must be."""
        return Filter(
            categories=() if self.category is None else (self.category,),
            brands=() if self.brand is None else (self.brand,),
            price_from=self.price_from,
            price_to=self.price_to,
        )

    @cached_property
    def wish(self) -> Wish:
        """As the ranking takes it, whoever asks and whenever."""
        return Wish(
            limit=self.limit,
            exclude=frozenset(self.exclude),
            only=self.only(),
            most_per_category=self.max_per_category,
            most_per_brand=self.max_per_brand,
        )


class _Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StepIn(_Inner):
    """Something the person just did, told with the question alone; it is not stored."""

    event_type: EventType
    item_id: KnownId
    event_time: Time | None = Field(default=None, description="now, if it is not said")
    price_minor: Minor | None = None


class FilterIn(_Inner):
    """What items must be; each field that is said must hold."""

    categories: list[Text] = Field(default_factory=list, max_length=50, description="any of them")
    brands: list[Text] = Field(default_factory=list, max_length=50, description="any of them")
    attributes: dict[str, StrictBool | int | float | str] = Field(
        default_factory=dict, max_length=10, description="exactly these values"
    )


class BoostIn(_Inner):
    """Lifts (above 1) or buries (below 1) an item, a category or a brand."""

    kind: Kind
    value: Text
    factor: float = Field(gt=0, le=100)


class PinIn(_Inner):
    """An item at a place of the list."""

    item_id: KnownId
    position: int = Field(ge=1, le=100)


class RecommendationsAsked(ListAsked):
    """For whom, how many, and what the list must be like."""

    user_id: KnownId | None = None
    anonymous_id: KnownId | None = None
    surface: Text | None = Field(default=None, description="where it is shown; comes back as sent")
    exclude_behaviours: Behaviours | None = None
    min_score: float | None = Field(default=None, description="fewer items rather than lower ones")
    explain: bool = Field(
        default=False, description="add to each reason a query that shows it in Neo4j Browser"
    )
    next: Text | None = Field(default=None, description="of an answer: go on where it ended")

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.user_id is None and self.anonymous_id is None and self.next is None:
            raise ValueError("user_id or anonymous_id is needed")
        return self

    def steps(self, now_ms: int) -> tuple[PastEvent, ...]:
        """What was told with the question, newest first."""
        return ()

    @cached_property
    def wish(self) -> Wish:
        """As the ranking takes it, whoever asks and whenever."""
        told = self.exclude_behaviours
        return super().wish.having(
            done=None if told is None else frozenset(told),
            min_score=self.min_score,
            is_explained=self.explain,
        )


class RecommendationsWanted(RecommendationsAsked):
    """The same, and what only fits into a body."""

    events: list[StepIn] = Field(
        default_factory=list, max_length=100, description="of a session that is not followed"
    )
    candidates: list[KnownId] = Field(
        default_factory=list, max_length=1000, description="rank these and no others"
    )
    filter: FilterIn = Field(default_factory=FilterIn)
    boosts: list[BoostIn] = Field(default_factory=list, max_length=50)
    pins: list[PinIn] = Field(default_factory=list, max_length=20)

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        asks = (self.user_id, self.anonymous_id, self.next)
        if all(one is None for one in asks) and not self.events and not self.candidates:
            raise ValueError("user_id, anonymous_id, events or candidates are needed")
        if any(one.event_type not in ITEM_BEHAVIOURS for one in self.events):
            raise ValueError("events must be behaviours with an item")
        return self

    def only(self) -> Filter:
        """What items must be."""
        asked = super().only()
        return Filter(
            categories=(*asked.categories, *self.filter.categories),
            brands=(*asked.brands, *self.filter.brands),
            price_from=self.price_from,
            price_to=self.price_to,
            attributes=tuple(sorted(self.filter.attributes.items())),
        )

    def steps(self, now_ms: int) -> tuple[PastEvent, ...]:
        """What was told with the question, newest first."""
        told = [
            PastEvent(
                one.event_type,
                ItemId(one.item_id),
                now_ms if one.event_time is None else min(one.event_time, now_ms),
                one.price_minor,
            )
            for one in self.events
        ]
        newest_first = told[::-1]
        return tuple(sorted(newest_first, key=lambda event: -event.ts))

    @cached_property
    def wish(self) -> Wish:
        """As the ranking takes it, whoever asks and whenever."""
        return super().wish.having(
            candidates=tuple(ItemId(one) for one in dict.fromkeys(self.candidates)),
            boosts=tuple(Boost(one.kind, one.value, one.factor) for one in self.boosts),
            pins=tuple(Pin(ItemId(one.item_id), one.position) for one in self.pins),
        )

"""Displays, mailer pages, price cuts: what lifts items for a while."""

from collections.abc import Sequence
from typing import Annotated, Self

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field, RootModel, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from backend.auth import Scope, requires
from backend.parsing import Taken, takes_rows
from backend.rows import StoredOut, store_rows
from backend.wiring import graph
from graph import promotions as promotion_store
from graph.domain.catalogue import PromotedItem, Promotion
from graph.domain.ids import ItemId, PromotionId
from workers.intake.schema import KnownId, Text, Time

bp = APIBlueprint(
    "promotions", __name__, abp_tags=[Tag(name="Catalogue")], abp_security=[{"key": []}]
)


class PromotedIn(Taken):
    """One item of a promotion; without ``starts`` it is promoted the whole time."""

    item_id: KnownId
    starts: Annotated[list[Time], Field(max_length=1000)] = Field(
        default_factory=list, description="beginnings of its weeks"
    )
    stores: Annotated[list[Annotated[StrictInt, Field(ge=0)]], Field(max_length=1000)] = Field(
        default_factory=list, description="in how many stores, one number beside each start"
    )

    @model_validator(mode="after")
    def _side_by_side(self) -> Self:
        if self.stores and len(self.stores) != len(self.starts):
            raise PydanticCustomError("invalid_type", "one number of stores beside each start")
        return self


class PromotionIn(Taken):
    """A promotion and its items."""

    promotion_id: KnownId
    kind: Text
    starts_at: Time
    ends_at: Time
    title: Text | None = None
    depth: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="share of the price that is taken off"
    )
    items: Annotated[list[PromotedIn], Field(max_length=5000)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise PydanticCustomError("time_out_of_range", "it must end after it starts")
        return self

    def promotion(self) -> Promotion:
        """As a word of the shop."""
        return Promotion(
            promotion_id=PromotionId(self.promotion_id),
            kind=self.kind,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            title=self.title,
            depth=self.depth,
            items=tuple(
                PromotedItem(
                    item_id=ItemId(one.item_id), starts=tuple(one.starts), stores=tuple(one.stores)
                )
                for one in self.items
            ),
        )


class PromotionsIn(RootModel[PromotionIn | list[PromotionIn]]):
    """One promotion, or a list of up to 500."""


@bp.post("/v1/promotions", responses={200: StoredOut, 422: StoredOut})
@requires(Scope.SERVER)
@takes_rows(PromotionsIn)
def post_promotions() -> Response:
    """Tell of promotions; one that is known is replaced."""
    return store_rows(PromotionIn, "promotion_id", _store)


def _store(rows: Sequence[PromotionIn]) -> None:
    graph().write(promotion_store.upsert, [row.promotion() for row in rows])

"""Coupon campaigns: whom they may reach, what they may cost."""

from collections.abc import Sequence
from typing import Annotated, Self

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from neo4j import ManagedTransaction
from pydantic import Field, RootModel, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from backend.auth import Scope, requires
from backend.parsing import Taken, takes_rows
from backend.rows import StoredOut, store_rows
from backend.wiring import graph
from graph import campaigns as campaign_store
from graph.domain.campaigns import Campaign, Coupon
from graph.domain.ids import CampaignId, CouponId, ItemId
from workers.intake.schema import Currency, KnownId, Minor, Text, Time

bp = APIBlueprint("campaigns", __name__, abp_tags=[Tag(name="Coupons")], abp_security=[{"key": []}])


class CouponIn(Taken):
    """A coupon and the items it is good for."""

    coupon_id: KnownId
    item_ids: Annotated[list[KnownId], Field(min_length=1, max_length=20_000)]


class CampaignIn(Taken):
    """A campaign with its limits and its coupons."""

    campaign_id: KnownId
    kind: Text
    starts_at: Time
    ends_at: Time
    title: Text | None = None
    budget_minor: Minor | None = Field(default=None, description="most money promised")
    currency: Currency | None = None
    max_people: Annotated[StrictInt, Field(ge=0)] | None = None
    cost_minor: Minor | None = Field(default=None, description="expected cost of one redemption")
    cooling_off_days: Annotated[StrictInt, Field(ge=0, le=3650)] = 0
    holdout_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    seed: Annotated[str, Field(min_length=1, max_length=100)] = "1"
    coupons: Annotated[list[CouponIn], Field(max_length=1000)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise PydanticCustomError("time_out_of_range", "it must end after it starts")
        if (self.budget_minor is None and self.cost_minor is None) != (self.currency is None):
            raise PydanticCustomError("invalid_money", "money and currency go together")
        if self.budget_minor is not None and not self.cost_minor:
            raise PydanticCustomError("invalid_money", "a budget needs the cost of a redemption")
        return self

    def campaign(self) -> Campaign:
        """As a word of the shop."""
        return Campaign(**self.model_dump(exclude={"coupons"}))

    def as_coupons(self) -> list[Coupon]:
        """Its coupons as words of the shop."""
        return [
            Coupon(
                coupon_id=CouponId(one.coupon_id),
                campaign_id=CampaignId(self.campaign_id),
                item_ids=tuple(ItemId(item_id) for item_id in one.item_ids),
            )
            for one in self.coupons
        ]


class CampaignsIn(RootModel[CampaignIn | list[CampaignIn]]):
    """One campaign, or a list of up to 500."""


@bp.post("/v1/campaigns", responses={200: StoredOut, 422: StoredOut})
@requires(Scope.SERVER)
@takes_rows(CampaignsIn)
def post_campaigns() -> Response:
    """Tell of campaigns and their coupons; one that is known is replaced."""
    return store_rows(CampaignIn, "campaign_id", _store)


def store_campaigns(
    tx: ManagedTransaction, campaigns: Sequence[Campaign], coupons: Sequence[Coupon]
) -> None:
    """Campaigns and coupons in one transaction, so none is seen without the other."""
    campaign_store.upsert(tx, campaigns)
    if coupons:
        campaign_store.upsert_coupons(tx, coupons)


def _store(rows: Sequence[CampaignIn]) -> None:
    coupons = [coupon for row in rows for coupon in row.as_coupons()]
    graph().write(store_campaigns, [row.campaign() for row in rows], coupons)

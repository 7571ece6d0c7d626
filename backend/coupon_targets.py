"""Whom to give a campaign's coupons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from neo4j import ManagedTransaction
from pydantic import BaseModel, Field

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.holdout import is_held_out
from backend.parsing import Taken, parsed
from backend.people import DAY_MS
from backend.serving import Loaded
from backend.targeting import Target, most_people, rank
from backend.wiring import clock_ms, graph, models, parts, pseudonyms
from graph import campaigns as campaign_store
from graph import items
from graph.candidates import Candidate, candidates
from graph.domain.campaigns import Campaign
from graph.domain.ids import CampaignId, CouponId, ItemId
from graph.domain.models import Slot
from workers.intake.errors import RefUnreadable
from workers.intake.schema import KnownId

bp = APIBlueprint(
    "coupon_targets", __name__, abp_tags=[Tag(name="Coupons")], abp_security=[{"key": []}]
)

LABEL = "heuristic, not uplift"


class TargetsAsked(Taken):
    """Of which campaign, and how many rows."""

    campaign_id: KnownId
    limit: Annotated[int, Field(ge=1, le=100)] = 100


class TargetReasonOut(BaseModel):
    """Which item speaks for the person, and how they know it."""

    code: str
    item_id: str


class TargetOut(BaseModel):
    """One person of the list."""

    rank: int
    user_id: str
    coupon_id: str
    chance: float = Field(description="that they buy something the coupon applies to")
    uplift: None = Field(default=None, description="unknown without a randomised test")
    expected_cost_minor: int | None
    reason: TargetReasonOut
    arm: str


class TargetsOut(BaseModel):
    """The list, and how it was cut."""

    campaign_id: str
    label: str
    model_version: str | None
    eligible: int
    holdout: int
    without_chance: int = Field(description="eligible, but nothing tells their chance")
    selected: int = Field(description="within people and budget; the list shows the first of them")
    currency: str | None
    budget_minor: int | None
    expected_cost_minor: int | None
    items: list[TargetOut]
    served_at: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What the graph knows of a campaign, read in one transaction."""

    campaign: Campaign
    candidates: list[Candidate]
    coupon_items: dict[CouponId, list[ItemId]]


@bp.get("/v1/coupon-targets", responses={200: TargetsOut})
@requires(Scope.SERVER)
@parsed
def get_coupon_targets(query: TargetsAsked) -> Response:
    """Whom to give a campaign's coupons.

    Eligible people, ranked by the chance that they buy what the coupon applies to; a heuristic,
    not uplift. The holdout is drawn before the ranking and stays out for the whole campaign.
    """
    loaded = models().current()
    now = loaded.model.as_of_ms if loaded else clock_ms()
    reach = graph().read(
        read_reach,
        CampaignId(query.campaign_id),
        now_ms=now,
        since_ms=now - parts().settings.history_days * DAY_MS,
        shown_at_ms=clock_ms(),
        slot=loaded.slot if loaded else None,
    )
    reach = replace(reach, candidates=willing(reach.candidates))
    free = [one for one in reach.candidates if not is_held_out(reach.campaign, one.user_id)]
    ranked = rank(free, reach.coupon_items, loaded, now_ms=now)
    selected = ranked[: most_people(reach.campaign)]
    return json_answer(_body(query, reach, selected, (len(free), len(ranked)), loaded))


def read_reach(
    tx: ManagedTransaction,
    campaign_id: CampaignId,
    *,
    now_ms: int,
    since_ms: int,
    shown_at_ms: int,
    slot: Slot | None,
) -> Reach:
    """Campaign, eligible people, and what its coupons apply to, without what is not for show."""
    campaign = campaign_store.get(tx, campaign_id)
    coupon_items = campaign_store.coupon_items(tx, campaign_id)
    every = sorted({item_id for item_ids in coupon_items.values() for item_id in item_ids})
    allowed = items.servable(tx, every, now_ms=shown_at_ms)
    return Reach(
        campaign=campaign,
        candidates=candidates(tx, campaign, now_ms=now_ms, slot=slot, since_ms=since_ms),
        coupon_items={
            coupon_id: [item_id for item_id in item_ids if item_id in allowed]
            for coupon_id, item_ids in coupon_items.items()
        },
    )


def willing(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Without those who denied it a moment ago, which the graph may not know yet."""
    people = [one.user_id for one in candidates]
    denied = {
        user_id
        for purpose in ("marketing", "personalisation")
        for user_id in parts().denials.denied(purpose, people)
    }
    return [one for one in candidates if one.user_id not in denied]


def _body(
    query: TargetsAsked,
    reach: Reach,
    selected: list[Target],
    counts: tuple[int, int],
    loaded: Loaded | None,
) -> dict[str, Any]:
    free, ranked = counts
    campaign = reach.campaign
    cost = campaign.cost_minor
    return {
        "campaign_id": query.campaign_id,
        "label": LABEL,
        "model_version": loaded.version if loaded else None,
        "eligible": len(reach.candidates),
        "holdout": len(reach.candidates) - free,
        "without_chance": free - ranked,
        "selected": len(selected),
        "currency": campaign.currency,
        "budget_minor": campaign.budget_minor,
        "expected_cost_minor": None if cost is None else cost * len(selected),
        "items": _rows(selected[: query.limit], cost),
        "served_at": iso(clock_ms()),
    }


def _rows(targets: list[Target], cost_minor: int | None) -> list[dict[str, Any]]:
    rows = []
    for place, target in enumerate(targets, start=1):
        user_id = revealed(target.candidate)
        if user_id is None:
            continue
        rows.append(
            {
                "rank": place,
                "user_id": user_id,
                "coupon_id": target.coupon_id,
                "chance": target.chance,
                "uplift": None,
                "expected_cost_minor": cost_minor,
                "reason": {"code": target.reason, "item_id": target.best_item},
                "arm": "treated",
            }
        )
    return rows


def revealed(candidate: Candidate) -> str | None:
    """The shop's own id; nothing when it was sealed with a key that we do not have."""
    if candidate.ref is None:
        return None
    try:
        return pseudonyms().reveal(candidate.ref)
    except RefUnreadable:
        return None

"""Whom an item is for."""

from typing import Annotated, Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.coupon_targets import revealed, willing
from backend.parsing import Taken, parsed
from backend.people import DAY_MS
from backend.targeting import Target, rank
from backend.wiring import clock_ms, graph, models, parts
from graph.audience import audience
from graph.domain.ids import CouponId, ItemId
from workers.intake.schema import KnownId

bp = APIBlueprint("audience", __name__, abp_tags=[Tag(name="Answers")], abp_security=[{"key": []}])

_NO_COUPON = CouponId("")


class AudienceAsked(Taken):
    """For which item, and how many."""

    item_id: KnownId
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class PersonOut(BaseModel):
    """One person; ``code`` says how they know the item."""

    rank: int
    user_id: str
    chance: float = Field(description="that they buy it")
    code: str


class AudienceOut(BaseModel):
    """People, the likeliest buyers first."""

    item_id: str
    model_version: str | None
    considered: int = Field(description="may be spoken to, and came near the item lately")
    people: list[PersonOut]
    served_at: str


@bp.get("/v1/audience", responses={200: AudienceOut})
@requires(Scope.SERVER)
@parsed
def get_audience(query: AudienceAsked) -> Response:
    """The people who are likeliest to buy an item.

    Customers who touched it, or something of its main category, as far back as people are read.
    Whoever denied marketing or personalisation is not among them. Without a model, or of an item
    it does not know, nobody is.
    """
    loaded, item_id = models().current(), ItemId(query.item_id)
    now = loaded.model.as_of_ms if loaded else clock_ms()
    near = graph().read(
        audience,
        item_id,
        since_ms=now - parts().settings.history_days * DAY_MS,
        now_ms=max(now, clock_ms()),
        slot=loaded.slot if loaded else None,
    )
    people = willing(near)
    ranked = rank(people, {_NO_COUPON: [item_id]}, loaded, now_ms=now)
    return json_answer(
        {
            "item_id": query.item_id,
            "model_version": loaded.version if loaded else None,
            "considered": len(people),
            "people": _rows(ranked[: query.limit]),
            "served_at": iso(clock_ms()),
        }
    )


def _rows(targets: list[Target]) -> list[dict[str, Any]]:
    return [
        {"rank": place, "user_id": user_id, "chance": target.chance, "code": target.reason}
        for place, target in enumerate(targets, start=1)
        if (user_id := revealed(target.candidate)) is not None
    ]

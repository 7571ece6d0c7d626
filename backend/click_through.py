"""What became of the lists that were shown."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from backend.answers import json_answer
from backend.auth import Scope, requires
from backend.parsing import Limit, Taken, parsed
from backend.wiring import graph
from graph import impressions
from workers.intake.schema import Id, Time

bp = APIBlueprint(
    "click_through", __name__, abp_tags=[Tag(name="Answers")], abp_security=[{"key": []}]
)


class ClickThroughAsked(Taken):
    """Which answers: one, or the newest that were shown in a time."""

    recommendation_id: Id | None = None
    since: Time | None = None
    until: Time | None = Field(default=None, description="not included")
    limit: Limit = 50


class ClickThroughOut(BaseModel):
    """Impressions and clicks of one answer; bots are left out."""

    recommendation_id: str
    shown: int = Field(description="lists shown")
    places: int = Field(description="items shown, over all lists")
    clicks: int
    clicked_items: int
    rate: float | None = Field(description="clicked items per place shown")
    clicks_by_position: dict[str, int]


class ClickThroughsOut(BaseModel):
    """Answers, the last shown first."""

    answers: list[ClickThroughOut]


@bp.get("/v1/click-through", responses={200: ClickThroughsOut})
@requires(Scope.SERVER)
@parsed
def get_click_through(query: ClickThroughAsked) -> Response:
    """How often what was shown was clicked, answer by answer."""
    found = graph().read(
        impressions.click_through,
        recommendation_id=query.recommendation_id,
        since_ms=query.since or 0,
        until_ms=query.until,
        limit=query.limit,
    )
    answers = [
        {
            "recommendation_id": one.recommendation_id,
            "shown": one.shown,
            "places": one.places,
            "clicks": one.clicks,
            "clicked_items": one.clicked_items,
            "rate": one.rate,
            "clicks_by_position": {str(k): n for k, n in one.clicks_by_position.items()},
        }
        for one in found
    ]
    return json_answer({"answers": answers})

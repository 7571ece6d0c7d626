"""What to show to a person."""

import uuid
from typing import Annotated, Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from backend import ranking
from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.metrics import metrics
from backend.parsing import Limit, parsed
from backend.people import Who, pseudonym, shopper
from backend.ranking import Level, Served, Wish
from backend.wiring import clock_ms, models
from workers.intake.schema import KnownId, Text

bp = APIBlueprint(
    "recommendations", __name__, abp_tags=[Tag(name="Answers")], abp_security=[{"key": []}]
)

_REASONS = {
    Level.PERSONAL: "for_you",
    Level.SESSION: "recent_steps",
    Level.SIMILAR: "similar",
    Level.POPULAR: "popular",
}


class RecommendationsAsked(Who):
    """For whom, how many, and what must not be in the list."""

    limit: Limit = 10
    surface: Text | None = Field(default=None, description="where it is shown; comes back as sent")
    category: Text | None = Field(default=None, description="only items of this category")
    exclude: Annotated[list[KnownId], Field(max_length=1000)] = Field(
        default_factory=list, description="items to leave out; may be repeated"
    )


class ReasonOut(BaseModel):
    """Why an item is in the list, by edges that exist."""

    code: str
    path: list[str]


class RecommendedOut(BaseModel):
    """One place of the list."""

    item_id: str
    score: float
    position: int
    reason: ReasonOut


class RecommendationsOut(BaseModel):
    """A list, and where it came from."""

    recommendation_id: str
    user_id: str | None
    anonymous_id: str | None
    surface: str | None
    model_version: str | None
    experiment: None = None
    level: Level
    stale: bool
    degraded: bool
    items: list[RecommendedOut]
    next: None = None
    served_at: str


@bp.get("/v1/recommendations", responses={200: RecommendationsOut})
@requires(Scope.SERVER)
@parsed
def get_recommendations(query: RecommendationsAsked) -> Response:
    """Recommend items to a person.

    The level says what served the list: ``personal`` from the stored embedding, ``session`` from
    the last steps, ``popular``, or ``none`` with an empty list.
    """
    return _answer(query)


@bp.post("/v1/recommendations", responses={200: RecommendationsOut})
@requires(Scope.SERVER)
@parsed
def post_recommendations(body: RecommendationsAsked) -> Response:
    """Recommend items to a person; the same question in a body, for long lists of exclusions."""
    return _answer(body)


def envelope(served: Served, model_version: str | None) -> dict[str, Any]:
    """The part of an answer that every kind of list has."""
    metrics().levels.labels(served.level.value).inc()
    if served.is_degraded:
        metrics().degraded.inc()
    return {
        "recommendation_id": f"r-{uuid.uuid4().hex}",
        "model_version": model_version,
        "experiment": None,
        "level": served.level.value,
        "stale": False,
        "degraded": served.is_degraded,
        "items": [_place(served, position) for position in range(len(served.items))],
        "next": None,
        "served_at": iso(clock_ms()),
    }


def _answer(asked: RecommendationsAsked) -> Response:
    user_id = pseudonym(user_id=asked.user_id, anonymous_id=asked.anonymous_id)
    loaded = models().current()
    person = shopper(user_id, loaded, now_ms=clock_ms())
    wish = Wish(
        limit=asked.limit,
        exclude=frozenset(asked.exclude),
        category=asked.category,
        user_id=user_id if person.history else None,
    )
    served = ranking.for_shopper(person, loaded, wish)
    return json_answer(
        {
            "user_id": asked.user_id,
            "anonymous_id": asked.anonymous_id,
            "surface": asked.surface,
            **envelope(served, loaded.version if loaded else None),
        }
    )


def _place(served: Served, index: int) -> dict[str, Any]:
    item_id, score = served.items[index]
    reason = served.reasons.get(item_id)
    return {
        "item_id": item_id,
        "score": score,
        "position": index + 1,
        "reason": {
            "code": reason.code if reason else _REASONS[served.level],
            "path": list(reason.path) if reason else [],
        },
    }

"""What to show to a person."""

import uuid
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Annotated, Any

import orjson
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from backend import ranking
from backend.answers import iso, json_answer, to_json
from backend.auth import Scope, requires
from backend.kept import key_of
from backend.metrics import metrics
from backend.parsing import Limit, parsed
from backend.people import Who, glance, met, pseudonym
from backend.ranking import Level, Served, Wish
from backend.wiring import clock_ms, models, parts
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
        "items": served.rendered or _places(served),
        "next": None,
        "served_at": iso(clock_ms()),
    }


def kept_or_made(key: Hashable, make: Callable[[], Served]) -> Served:
    """
    The answer to a question, made only if nothing is held that is still true.

    Args:
        key: of ``key_of``; ``None`` neither looks nor keeps.
    """
    kept = parts().kept
    served: Served | None = kept.get(key)
    metrics().kept.labels("none" if key is None else "miss" if served is None else "hit").inc()
    if served is not None:
        return served
    served = make()
    if key is not None and not served.is_degraded:
        served = replace(served, rendered=orjson.Fragment(to_json(_places(served))))
        kept.put(key, served, until_ms=parts().shelf.border_ms)
    return served


def _answer(asked: RecommendationsAsked) -> Response:
    seen = glance(pseudonym(user_id=asked.user_id, anonymous_id=asked.anonymous_id))
    loaded = models().current()
    wish = Wish(
        limit=asked.limit,
        exclude=frozenset(asked.exclude),
        category=asked.category,
        stamp=seen.stamp,
    )

    def make() -> Served:
        person = met(seen, loaded, now_ms=clock_ms())
        return ranking.for_shopper(
            person, loaded, replace(wish, user_id=seen.user_id if person.history else None)
        )

    served = kept_or_made(key_of(("recommendations", wish), seen.token, loaded, seen.stamp), make)
    return json_answer(
        {
            "user_id": asked.user_id,
            "anonymous_id": asked.anonymous_id,
            "surface": asked.surface,
            **envelope(served, loaded.version if loaded else None),
        }
    )


def _places(served: Served) -> list[dict[str, Any]]:
    return [_place(served, index) for index in range(len(served.items))]


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

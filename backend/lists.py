"""What every kind of list looks like from outside."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any

import orjson
from flask import g
from pydantic import BaseModel, Field

from backend.answers import iso, to_json
from backend.metrics import metrics
from backend.ranking import Level, Served
from backend.serving import Loaded
from backend.wiring import clock_ms, parts
from backend.wishes import Wish
from graph.domain.ids import UserId
from graph.recommendations import Reason, shown_by
from workers.intake.errors import StreamUnavailable
from workers.intake.pages import Listed

_REASONS = {
    Level.PERSONAL: "for_you",
    Level.SESSION: "recent_steps",
    Level.SIMILAR: "similar",
    Level.ALSO_BOUGHT: "also_bought",
    Level.POPULAR: "popular",
    Level.TRENDING: "trending",
}


class ReasonOut(BaseModel):
    """Why an item is in the list, by edges that exist."""

    code: str
    path: list[str]
    cypher: str | None = Field(default=None, description="shows the path in Neo4j Browser")


class RecommendedOut(BaseModel):
    """One place of the list; an item that the model does not know has no score."""

    item_id: str
    score: float | None
    position: int
    reason: ReasonOut


class ListOut(BaseModel):
    """A list, and where it came from."""

    recommendation_id: str
    model_version: str | None
    experiment: None = None
    level: Level
    stale: bool
    degraded: bool
    items: list[RecommendedOut]
    next: str | None
    served_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """
    A list that somebody asks for.

    Attributes:
        key: of ``key_of``; ``None``: an answer to it can be neither held nor kept.
        about: what the answer repeats of the question.
        owner: whose list it is, where it turns out to be one of their own.
    """

    key: Hashable
    wish: Wish
    loaded: Loaded | None
    make: Callable[[], Served]
    about: dict[str, Any]
    owner: UserId | None = None


def answered(question: Question) -> dict[str, Any]:
    """The answer to a question, made only if nothing is held that is still true."""
    key, wish = question.key, question.wish
    served: Served | None = parts().kept.get(key)
    metrics().kept.labels("none" if key is None else "miss" if served is None else "hit").inc()
    if served is not None:
        return _envelope(served, question)
    served = _with_rest_kept(question.make(), question)
    if wish.is_explained and question.owner is not None:
        served = replace(served, owner=question.owner)
    if key is not None and not served.is_degraded:
        places = orjson.Fragment(to_json(places_of(served, wish.limit)))
        # What was written out is all that is needed again, and a fifth of the size.
        served = replace(served, rendered=places, items=[], reasons={})
        parts().kept.put(key, served, until_ms=parts().shelf.border_ms)
    return _envelope(served, question)


def _envelope(served: Served, question: Question) -> dict[str, Any]:
    loaded, limit = question.loaded, question.wish.limit
    return question.about | whole(
        served,
        served.rendered or places_of(served, limit),
        version=loaded.version if loaded else None,
        is_stale=loaded is not None and loaded.is_stale,
        following=f"{served.page}.{limit}.{limit}" if served.page else None,
    )


def whole(
    served: Served,
    places: object,
    *,
    version: str | None,
    following: str | None,
    is_stale: bool = False,
) -> dict[str, Any]:
    """The same for given places of a list."""
    g.level = served.level.value
    metrics().levels.labels(served.level.value).inc()
    if served.is_degraded:
        metrics().degraded.inc()
    return {
        "recommendation_id": f"r-{token_hex(16)}",
        "model_version": version,
        "experiment": None,
        "level": served.level.value,
        "stale": is_stale,
        "degraded": served.is_degraded,
        "items": places,
        "next": following,
        "served_at": iso(clock_ms()),
    }


def places_of(served: Served, limit: int, *, before: int = 0) -> list[dict[str, Any]]:
    """
    The first places of a list.

    Args:
        before: places on the pages before.
    """
    return [
        _place(served, item_id, score, position)
        for position, (item_id, score) in enumerate(served.items[:limit], before + 1)
    ]


def _place(served: Served, item_id: Any, score: float | None, position: int) -> dict[str, Any]:
    reason = served.reasons.get(item_id) or Reason(_REASONS[served.level])
    told: dict[str, Any] = {"code": reason.code, "path": reason.path}
    if served.owner is not None:
        told["cypher"] = shown_by(reason, served.owner)
    return {"item_id": item_id, "score": score, "position": position, "reason": told}


def _with_rest_kept(served: Served, question: Question) -> Served:
    """With the rest put aside for later pages; without Valkey there are none."""
    if len(served.items) <= question.wish.limit:
        return served
    listed = Listed(
        level=served.level.value,
        model_version=question.loaded.version if question.loaded else None,
        items=served.items,
        user_id=question.owner if served.level in (Level.PERSONAL, Level.SESSION) else None,
    )
    try:
        return replace(served, page=parts().pages.keep(listed))
    except StreamUnavailable:
        return served

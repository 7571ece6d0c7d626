"""How likely a person is to buy an item."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Self

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, model_validator

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.errors import Invalid
from backend.parsing import Limit, Taken, parsed
from backend.people import Shopper, Who, pseudonym, reference_ms, shopper
from backend.serving import Columns, Loaded
from backend.wiring import clock_ms, models, parts
from graph.domain.ids import ItemId, UserId
from graph.errors import GraphUnavailable
from workers.intake.changes import Stamp
from workers.intake.schema import KnownId

bp = APIBlueprint("intent", __name__, abp_tags=[Tag(name="Answers")], abp_security=[{"key": []}])

_MOST_PEOPLE = 50


class PairIn(Who):
    """A person and an item."""

    item_id: KnownId


class IntentAsked(Taken):
    """Pairs to judge; or one person, whose likeliest items are wanted."""

    pairs: Annotated[list[PairIn], Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="of at most 50 people"
    )
    user_id: KnownId | None = None
    anonymous_id: KnownId | None = None
    limit: Limit = 10

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asks_person = self.user_id is not None or self.anonymous_id is not None
        if asks_person == (self.pairs is not None):
            raise ValueError("either pairs, or one user_id or anonymous_id")
        return self


class IntentOut(BaseModel):
    """One pair, judged; ``code`` says why there is no probability."""

    user_id: str | None
    anonymous_id: str | None
    item_id: str
    probability: float | None
    code: str | None


class IntentsOut(BaseModel):
    """All pairs, in the order in which they were asked."""

    model_version: str | None
    degraded: bool
    items: list[IntentOut]
    served_at: str


@bp.post("/v1/intent", responses={200: IntentsOut})
@requires(Scope.SERVER)
@parsed
def post_intent(body: IntentAsked) -> Response:
    """How likely people are to buy items, calibrated.

    A pair that cannot be judged has the probability null and a code: ``no_model``,
    ``unknown_user``, ``unknown_item`` or ``not_available``.
    """
    loaded = models().current()
    rows, is_degraded = _judged(body.pairs, loaded) if body.pairs else _likeliest(body, loaded)
    return json_answer(
        {
            "model_version": loaded.version if loaded else None,
            "degraded": is_degraded,
            "items": rows,
            "served_at": iso(clock_ms()),
        }
    )


def _judged(pairs: Sequence[PairIn], loaded: Loaded | None) -> tuple[list[dict[str, Any]], bool]:
    owners = [pseudonym(user_id=one.user_id, anonymous_id=one.anonymous_id) for one in pairs]
    people = list(dict.fromkeys(owners))
    if len(people) > _MOST_PEOPLE:
        raise Invalid(f"pairs of at most {_MOST_PEOPLE} people", field="pairs", code="out_of_range")
    allowed, is_degraded = _available([ItemId(one.item_id) for one in pairs])
    chances: dict[tuple[UserId, str], float] = {}
    strangers: set[UserId] = set()
    for person in people if loaded else ():
        known = shopper(person, loaded, now_ms=clock_ms())
        is_degraded |= known.is_degraded
        if known.vector is None:
            strangers.add(person)
            continue
        wanted = [one.item_id for one, owner in zip(pairs, owners, strict=True) if owner == person]
        chances.update(((person, item), p) for item, p in _chances(known, loaded, wanted))
    rows = []
    for one, owner in zip(pairs, owners, strict=True):
        chance = chances.get((owner, one.item_id))
        code = _code(one, loaded, chance, is_stranger=owner in strangers, allowed=allowed)
        rows.append(_row(one.user_id, one.anonymous_id, one.item_id, chance, code))
    return rows, is_degraded


def _likeliest(asked: IntentAsked, loaded: Loaded | None) -> tuple[list[dict[str, Any]], bool]:
    person = pseudonym(user_id=asked.user_id, anonymous_id=asked.anonymous_id)
    known = shopper(person, loaded, now_ms=clock_ms())
    if loaded is None or known.vector is None:
        return [], known.is_degraded
    scores = loaded.model.score(
        known.vector, Columns.of(known.history), now_ms=reference_ms(loaded, known.history)
    )
    barred = parts().shelf.barred(known.stamp) & loaded.known_items
    best = loaded.model.top(scores, asked.limit + 50, barred)
    allowed, is_degraded = _available([ItemId(item_id) for item_id, _ in best], known.stamp)
    kept = [(item_id, p) for item_id, p in best if item_id in allowed][: asked.limit]
    rows = [_row(asked.user_id, asked.anonymous_id, item_id, p, None) for item_id, p in kept]
    return rows, is_degraded or known.is_degraded


def _chances(known: Shopper, loaded: Loaded | None, wanted: list[str]) -> list[tuple[str, float]]:
    if loaded is None:
        return []
    scores = loaded.model.score(
        known.vector,
        Columns.of(known.history),
        now_ms=reference_ms(loaded, known.history),
        items=wanted,
    )
    return [
        (item_id, float(score))
        for item_id, score in zip(wanted, scores, strict=True)
        if math.isfinite(score)
    ]


def _available(item_ids: list[ItemId], stamp: Stamp | None = None) -> tuple[frozenset[str], bool]:
    shelf = parts().shelf
    try:
        seen = shelf.look(item_ids, limit=len(item_ids), stamp=stamp)
    except GraphUnavailable:
        return frozenset(shelf.from_memory(item_ids, limit=len(item_ids)).allowed), True
    return frozenset(seen.allowed), False


def _code(
    pair: PairIn,
    loaded: Loaded | None,
    chance: float | None,
    *,
    is_stranger: bool,
    allowed: frozenset[str],
) -> str | None:
    if loaded is None:
        return "no_model"
    if pair.item_id not in loaded.known_items:
        return "unknown_item"
    if pair.item_id not in allowed:
        return "not_available"
    if is_stranger:
        return "unknown_user"
    return None if chance is not None else "unknown_item"


def _row(
    user_id: str | None,
    anonymous_id: str | None,
    item_id: str,
    chance: float | None,
    code: str | None,
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "anonymous_id": anonymous_id,
        "item_id": item_id,
        "probability": chance if code is None else None,
        "code": code,
    }

"""What to show to a person."""

from dataclasses import replace
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from backend import paging, ranking
from backend.answers import json_answer
from backend.auth import Scope, requires
from backend.kept import key_of
from backend.lists import ListOut, Question, answered
from backend.parsing import parsed
from backend.people import Glance, Shopper, glance, met, pseudonym
from backend.questions import RecommendationsAsked, RecommendationsWanted
from backend.ranking import Served
from backend.serving import Loaded
from backend.wiring import clock_ms, models, parts
from graph.domain.ids import UserId
from graph.events import PastEvent

bp = APIBlueprint(
    "recommendations", __name__, abp_tags=[Tag(name="Answers")], abp_security=[{"key": []}]
)

NOBODY = UserId("")
"""Stands for whoever asks by what they just did, without an id."""


class RecommendationsOut(ListOut):
    """A list, and for whom it is."""

    user_id: str | None
    anonymous_id: str | None
    surface: str | None


@bp.get("/v1/recommendations", responses={200: RecommendationsOut})
@requires(Scope.SERVER)
@parsed
def get_recommendations(query: RecommendationsAsked) -> Response:
    """Recommend items to a person.

    The level says what served the list: ``personal`` from the stored embedding, ``session`` from
    the last steps, ``popular``, or ``none`` with an empty list. With ``next`` of an answer the list
    goes on where that answer ended, also after another model took over; 410 when it has expired.
    """
    return _answer(query)


@bp.post("/v1/recommendations", responses={200: RecommendationsOut})
@requires(Scope.SERVER)
@parsed
def post_recommendations(body: RecommendationsWanted) -> Response:
    """Recommend items to a person, or for a session, or rank a list of the shop's own.

    ``events`` count as the person's newest steps for this answer and are not stored. Filters act
    before the count. Of ``candidates``, those that the model has no score for come last, as sent.
    """
    return _answer(body)


def _answer(asked: RecommendationsAsked) -> Response:
    if asked.next is not None:
        return json_answer(_whose(asked) | paging.go_on(asked.next, asked.limit))
    return json_answer(answered(question(asked)))


def question(asked: RecommendationsAsked) -> Question:
    """What is asked, and how it is answered; not of a page that follows."""
    loaded = models().current()
    seen = _look(asked)
    wish = asked.wish
    steps = asked.steps(clock_ms())

    def make() -> Served:
        person = _with_steps(seen, loaded, steps)
        return ranking.for_shopper(person, loaded, wish.having(stamp=seen.stamp))

    # What came with the question belongs to no state, so it is not worth keeping.
    key = None if steps else key_of(("recommendations", wish), seen.token, loaded, seen.stamp)
    return Question(
        key=key,
        wish=wish,
        loaded=loaded,
        make=make,
        about=_whose(asked),
        owner=None if seen.user_id == NOBODY else seen.user_id,
    )


def _whose(asked: RecommendationsAsked) -> dict[str, Any]:
    return {"user_id": asked.user_id, "anonymous_id": asked.anonymous_id, "surface": asked.surface}


def _look(asked: RecommendationsAsked) -> Glance:
    if asked.user_id is None and asked.anonymous_id is None:
        return Glance(user_id=NOBODY, recent=None, told_stamp=parts().shelf.stamp())
    return glance(pseudonym(user_id=asked.user_id, anonymous_id=asked.anonymous_id))


def _with_steps(seen: Glance, loaded: Loaded | None, steps: tuple[PastEvent, ...]) -> Shopper:
    if seen.user_id == NOBODY:
        return Shopper(user_id=NOBODY, told=steps, stamp=seen.stamp)
    person = met(seen, loaded, now_ms=clock_ms())
    if not steps or (seen.recent is not None and seen.recent.is_denied):
        return person
    return replace(person, told=steps)

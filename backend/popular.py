"""What everybody likes, and what they have begun to like."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from backend import ranking
from backend.answers import json_answer
from backend.auth import Scope, requires
from backend.kept import key_of
from backend.lists import ListOut, Question, answered
from backend.parsing import parsed
from backend.questions import ListAsked
from backend.ranking import Served
from backend.wiring import models, parts

bp = APIBlueprint("popular", __name__, abp_tags=[Tag(name="Answers")], abp_security=[{"key": []}])

HOUR_MS = 3_600_000


class PopularAsked(ListAsked):
    """How many, of what, and of which time."""

    window_hours: int | None = Field(
        default=None, ge=1, le=24 * 90, description="count the events of the last so many hours"
    )
    trending: bool = Field(
        default=False,
        description="what has risen most against the four windows before; a day if none is said",
    )


class PopularOut(ListOut):
    """What is popular, in a category where one was asked for."""

    category: str | None


@bp.get("/v1/popular-items", responses={200: PopularOut})
@requires(Scope.SERVER)
@parsed
def get_popular_items(query: PopularAsked) -> Response:
    """The items that people like most at present, or that have risen most.

    Without a window the live model's own count answers, halved every 30 days; with one, the events
    of the graph, counted at most five seconds ago.
    """
    return json_answer(answered(question(query)))


def question(query: PopularAsked) -> Question:
    """What is asked, and how it is answered."""
    loaded, stamp = models().current(), parts().shelf.stamp()
    wish = query.wish

    def make() -> Served:
        now = wish.having(stamp=stamp)
        if query.trending:
            return ranking.trending(loaded, now, window_ms=HOUR_MS * (query.window_hours or 24))
        if query.window_hours is not None:
            return ranking.popular_since(now, window_ms=HOUR_MS * query.window_hours)
        return ranking.popular(loaded, now)

    is_counted = query.trending or query.window_hours is not None
    return Question(
        key=None if is_counted else key_of(("popular", wish), None, loaded, stamp),
        wish=wish,
        loaded=loaded,
        make=make,
        about={"category": query.category},
    )

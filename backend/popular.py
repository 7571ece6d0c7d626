"""What everybody likes."""

from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from backend import ranking
from backend.answers import json_answer
from backend.auth import Scope, requires
from backend.kept import key_of
from backend.parsing import Limit, Taken, parsed
from backend.ranking import Wish
from backend.recommendations import RecommendationsOut, envelope, kept_or_made
from backend.wiring import models, parts
from workers.intake.schema import KnownId, Text

bp = APIBlueprint("popular", __name__, abp_tags=[Tag(name="Answers")], abp_security=[{"key": []}])


class PopularAsked(Taken):
    """How many, and of which category."""

    limit: Limit = 10
    category: Text | None = Field(default=None, description="only items of this category")
    exclude: Annotated[list[KnownId], Field(max_length=1000)] = Field(
        default_factory=list, description="items to leave out; may be repeated"
    )


@bp.get("/v1/popular-items", responses={200: RecommendationsOut})
@requires(Scope.SERVER)
@parsed
def get_popular_items(query: PopularAsked) -> Response:
    """The items that people like most at present."""
    loaded = models().current()
    stamp = parts().shelf.stamp()
    wish = Wish(
        limit=query.limit,
        exclude=frozenset(query.exclude),
        category=query.category,
        stamp=stamp,
    )
    served = kept_or_made(
        key_of(("popular", wish), None, loaded, stamp), lambda: ranking.popular(loaded, wish)
    )
    return json_answer(
        {"category": query.category, **envelope(served, loaded.version if loaded else None)}
    )

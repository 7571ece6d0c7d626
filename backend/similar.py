"""What is like an item."""

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
from graph.domain.ids import ItemId
from workers.intake.schema import KnownId

bp = APIBlueprint("similar", __name__, abp_tags=[Tag(name="Answers")], abp_security=[{"key": []}])


class SimilarAsked(Taken):
    """To which item, and how many."""

    item_id: KnownId
    limit: Limit = 10
    exclude: Annotated[list[KnownId], Field(max_length=1000)] = Field(
        default_factory=list, description="items to leave out; may be repeated"
    )


class SimilarOut(RecommendationsOut):
    """The nearest items."""

    item_id: str


@bp.get("/v1/similar-items", responses={200: SimilarOut})
@requires(Scope.SERVER)
@parsed
def get_similar_items(query: SimilarAsked) -> Response:
    """The nearest items to one.

    The score is a cosine, from -1 to 1. For an item the model does not know, the level is
    ``popular``.
    """
    loaded = models().current()
    stamp = parts().shelf.stamp()
    item_id = ItemId(query.item_id)
    wish = Wish(limit=query.limit, exclude=frozenset([*query.exclude, item_id]), stamp=stamp)
    served = kept_or_made(
        key_of(("similar", item_id, wish), None, loaded, stamp),
        lambda: ranking.similar(loaded, item_id, wish),
    )
    return json_answer(
        {"item_id": query.item_id, **envelope(served, loaded.version if loaded else None)}
    )

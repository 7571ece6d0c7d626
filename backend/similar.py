"""What is like an item, and what is bought with it."""

from collections.abc import Callable, Hashable
from functools import cached_property, partial

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
from backend.serving import Loaded
from backend.wiring import models, parts
from backend.wishes import Wish
from graph.domain.ids import ItemId
from workers.intake.schema import KnownId

bp = APIBlueprint("similar", __name__, abp_tags=[Tag(name="Answers")], abp_security=[{"key": []}])

DAY_MS = 86_400_000


class SimilarAsked(ListAsked):
    """To which item, and how many."""

    item_id: KnownId

    @cached_property
    def wish(self) -> Wish:
        """As the ranking takes it; nothing is like itself."""
        plain = super().wish
        return plain.having(exclude=plain.exclude | {self.item_id})


class AlsoBoughtAsked(SimilarAsked):
    """With which item, and how near in time."""

    within_days: int = Field(default=1, ge=0, le=90, description="between the two purchases")


class OfItemOut(ListOut):
    """Items that go with one."""

    item_id: str


@bp.get("/v1/similar-items", responses={200: OfItemOut})
@requires(Scope.SERVER)
@parsed
def get_similar_items(query: SimilarAsked) -> Response:
    """The nearest items to one.

    The score is a cosine, from -1 to 1. For an item the model does not know, the level is
    ``popular``.
    """
    return json_answer(answered(question(query)))


def question(query: SimilarAsked) -> Question:
    """What is asked, and how it is answered."""
    return _of_item(query, "similar", ranking.similar)


@bp.get("/v1/also-bought-items", responses={200: OfItemOut})
@requires(Scope.SERVER)
@parsed
def get_also_bought_items(query: AlsoBoughtAsked) -> Response:
    """What the buyers of an item bought at about the same time.

    The score is a cosine of purchases, from 0 to 1. Where fewer than two people bought anything
    beside it, similar items answer, under the level ``similar``.
    """
    within_ms = query.within_days * DAY_MS
    make = partial(ranking.also_bought, within_ms=within_ms)
    return json_answer(answered(_of_item(query, ("also bought", within_ms), make)))


def _of_item(
    query: SimilarAsked,
    kind: Hashable,
    make: Callable[[Loaded | None, ItemId, Wish], Served],
) -> Question:
    loaded, stamp = models().current(), parts().shelf.stamp()
    item_id = ItemId(query.item_id)
    wish = query.wish
    return Question(
        key=key_of((kind, item_id, wish), None, loaded, stamp),
        wish=wish,
        loaded=loaded,
        make=lambda: make(loaded, item_id, wish.having(stamp=stamp)),
        about={"item_id": query.item_id},
    )

"""What the shop sells: told, changed, hidden, taken away; each counts with the next answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Self

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, RootModel, StrictBool, field_validator, model_validator
from pydantic_core import PydanticCustomError

from backend.answers import json_answer
from backend.auth import Scope, requires
from backend.errors import WebError
from backend.parsing import Taken, parsed, takes_rows
from backend.rows import StoredOut, store_rows
from backend.wiring import clock_ms, graph, parts
from graph import items as item_store
from graph.domain.catalogue import Item
from graph.domain.ids import ItemId
from workers.intake.attributes import attributes_text
from workers.intake.rows import Fault
from workers.intake.schema import Currency, KnownId, Minor, Text, Time

bp = APIBlueprint("items", __name__, abp_tags=[Tag(name="Catalogue")], abp_security=[{"key": []}])


class ItemIn(Taken):
    """A thing for sale; a field that is absent or null changes nothing."""

    item_id: KnownId
    title: Text | None = None
    categories: Annotated[list[Text], Field(max_length=50)] | None = Field(
        default=None, description="paths from broad to narrow; the first is the main one"
    )
    brand: Text | None = None
    price_minor: Minor | None = None
    currency: Currency | None = None
    is_hidden: StrictBool | None = None
    available_from: Time | None = None
    available_until: Time | None = None
    image_url: Annotated[str, Field(max_length=2000)] | None = None
    seller_id: KnownId | None = None
    attributes: dict[str, Any] | None = Field(default=None, description="free JSON, 8 KiB")
    created_at: Time | None = None
    updated_at: Time | None = Field(
        default=None, description="when the shop changed it; the newest wins; default: now"
    )

    @field_validator("categories")
    @classmethod
    def _no_empty_name(cls, names: list[str] | None) -> list[str] | None:
        if names is not None and any(not name.strip() for name in names):
            raise PydanticCustomError("invalid_text", "a category needs a name")
        return names

    @field_validator("attributes")
    @classmethod
    def _storable(cls, attributes: dict[str, Any] | None) -> dict[str, Any] | None:
        if attributes is not None:
            text = attributes_text(attributes)
            if isinstance(text, Fault):
                raise PydanticCustomError("invalid_text", "the attributes cannot be stored")
        return attributes

    @model_validator(mode="after")
    def _whole_price(self) -> Self:
        if (self.price_minor is None) != (self.currency is None):
            raise PydanticCustomError("invalid_money", "price_minor and currency go together")
        return self

    def item(self, *, now_ms: int) -> Item:
        """As a word of the shop."""
        told = self.model_dump(exclude={"attributes", "categories", "updated_at"})
        text = attributes_text(self.attributes) if self.attributes is not None else None
        return Item(
            **told,
            categories=None if self.categories is None else tuple(self.categories),
            attributes=text if isinstance(text, str) else None,
            updated_at=now_ms if self.updated_at is None else self.updated_at,
        )


class ItemsIn(RootModel[ItemIn | list[ItemIn]]):
    """One item, or a list of up to 500."""


class ItemAsked(Taken):
    """Which item."""

    item_id: KnownId


class ItemRemovedOut(BaseModel):
    """The item that is gone."""

    item_id: str
    deleted: bool


class UnknownItem(WebError):
    """No item has that id."""

    status, code = 404, "unknown_item"


@bp.post("/v1/items", responses={200: StoredOut, 422: StoredOut})
@requires(Scope.SERVER)
@takes_rows(ItemsIn)
def post_items() -> Response:
    """Tell of items: new ones, changes, hidden ones.

    Fields are merged one by one; of two changes the one with the newer ``updated_at`` wins,
    whatever the order of arrival.
    """
    return store_rows(ItemIn, "item_id", _store)


@bp.delete("/v1/items", responses={200: ItemRemovedOut})
@requires(Scope.SERVER)
@parsed
def delete_item(query: ItemAsked) -> Response:
    """Take an item away for good; its history stays. A second time gives the same answer."""
    item_id = ItemId(query.item_id)
    if item_id not in graph().read(item_store.details, [item_id]):
        raise UnknownItem("no item has that id", field="item_id")
    with changing([item_id]):
        graph().write(item_store.remove, [item_id], now_ms=clock_ms())
    return json_answer({"item_id": query.item_id, "deleted": True})


def _store(rows: Sequence[ItemIn]) -> None:
    now = clock_ms()
    with changing([ItemId(row.item_id) for row in rows]):
        graph().write(item_store.upsert, [row.item(now_ms=now) for row in rows], now_ms=now)


@contextmanager
def changing(item_ids: Sequence[ItemId]) -> Iterator[None]:
    """
    Change items so that every process knows it with its next answer.

    Raises:
        StreamUnavailable: nobody could be told, so nothing may be changed.
    """
    shelf = parts().shelf
    shelf.begin(item_ids)
    try:
        yield
    finally:
        # Also after a failure: it may have come too late to undo the change.
        shelf.done(item_ids)

"""The catalogue in a real graph."""

import pytest

from graph import events, items
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId
from graph.shelf import OnShelf, on_shelf

A, B = ItemId("A"), ItemId("B")
NOW = 10_000


def stored(graph: Graph, item_id: ItemId = A) -> Item:
    return graph.read(items.details, [item_id])[item_id]


def test_an_item_comes_back_as_it_was_told(graph: Graph) -> None:
    told = Item(
        item_id=A, title="Tea", categories=("drinks/tea", "gifts"), brand="Bo", price_minor=0,
        currency="EUR", is_hidden=False, available_from=1, available_until=20_000,
        image_url="https://img", seller_id="s", attributes='{"a":1}', created_at=3, updated_at=4,
    )  # fmt: skip
    graph.write(items.upsert, [told], now_ms=NOW)
    assert stored(graph) == told


def test_a9_the_newest_telling_wins_whatever_the_order(graph: Graph) -> None:
    graph.write(items.upsert, [Item(item_id=A, title="new", updated_at=9)], now_ms=NOW)
    graph.write(items.upsert, [Item(item_id=A, title="old", updated_at=5)], now_ms=NOW)
    assert stored(graph).title == "new"


def test_within_a_batch_fields_merge_newest_last(graph: Graph) -> None:
    told = [
        Item(item_id=A, title="new", updated_at=9),
        Item(item_id=A, title="old", brand="Bo", updated_at=5),
    ]
    graph.write(items.upsert, told, now_ms=NOW)
    assert (stored(graph).title, stored(graph).brand) == ("new", "Bo")


def test_what_is_not_said_stays(graph: Graph) -> None:
    graph.write(items.upsert, [Item(item_id=A, title="Tea", price_minor=5)], now_ms=NOW)
    graph.write(items.upsert, [Item(item_id=A, price_minor=6)], now_ms=NOW + 1)
    assert (stored(graph).title, stored(graph).price_minor) == ("Tea", 6)


def test_a_change_of_category_and_brand_moves_the_edges(graph: Graph) -> None:
    first = Item(item_id=A, categories=("tea", "gifts"), brand="Bo")
    second = Item(item_id=A, categories=("gifts", "new"), brand="Co")
    graph.write(items.upsert, [first], now_ms=NOW)
    graph.write(items.upsert, [second], now_ms=NOW + 1)
    assert stored(graph).categories == ("gifts", "new")
    assert stored(graph).brand == "Co"


@pytest.mark.parametrize(
    ("item", "may_be_shown"),
    [
        (Item(item_id=A), True),
        (Item(item_id=A, is_hidden=True), False),
        (Item(item_id=A, available_from=NOW), True),
        (Item(item_id=A, available_from=NOW + 1), False),
        (Item(item_id=A, available_until=NOW + 1), True),
        (Item(item_id=A, available_until=NOW), False),
    ],
)
def test_only_what_may_be_shown_is_servable(graph: Graph, item: Item, may_be_shown: bool) -> None:
    graph.write(items.upsert, [item], now_ms=NOW)
    found = graph.read(items.servable, [A, B], now_ms=NOW)
    assert found == ({A} if may_be_shown else set()), "B is unknown"


def test_a_removed_item_is_gone_until_it_is_told_anew(graph: Graph) -> None:
    graph.write(items.upsert, [Item(item_id=A, title="Tea")], now_ms=NOW)
    graph.write(items.remove, [A, B], now_ms=NOW + 1)
    graph.write(items.remove, [A], now_ms=NOW + 1)
    assert not graph.read(items.exists, A)
    assert graph.read(items.servable, [A], now_ms=NOW + 2) == set()
    graph.write(items.upsert, [Item(item_id=A, updated_at=NOW)], now_ms=NOW + 2)
    assert not graph.read(items.exists, A), "a telling from before the removal"
    graph.write(items.upsert, [Item(item_id=A)], now_ms=NOW + 3)
    assert graph.read(items.exists, A)
    assert stored(graph).title == "Tea"


def did(number: int, type_: EventType, item_id: ItemId, **changes: object) -> Event:
    return Event(
        event_id=EventId(f"e{number}"), type=type_, user_id=UserId("c_1"), ts=100 + number,
        received_ts=1, source="web", item_id=item_id, **changes,
    )  # fmt: skip


def test_popular_weighs_behaviours_and_leaves_out_what_is_hidden(graph: Graph) -> None:
    told = [
        Item(item_id=A, categories=("tea/red",)),
        Item(item_id=B, categories=("tealights",)),
        Item(item_id=ItemId("C"), is_hidden=True),
    ]
    graph.write(items.upsert, told, now_ms=NOW)
    graph.write(
        events.record,
        [
            did(1, EventType.PURCHASE, A),
            did(2, EventType.VIEW, B),
            did(3, EventType.VIEW, B),
            did(4, EventType.PURCHASE, ItemId("C")),
            did(5, EventType.PURCHASE, B, flags=("bot",))._replace(user_id=UserId("c_robot")),
            did(6, EventType.CART, ItemId("D")),
            did(7, EventType.UNCART, ItemId("D")),
        ],
    )
    assert graph.read(items.popular, since_ms=0, limit=9) == [(A, 6.0), (B, 2.0)]
    assert graph.read(items.popular, since_ms=102, limit=9) == [(B, 2.0)]
    assert graph.read(items.popular, since_ms=0, limit=9, category="tea") == [(A, 6.0)]


def test_the_shelf_knows_when_and_where_an_item_may_be_shown(graph: Graph) -> None:
    """In few words; an unknown item has none."""
    told = [
        Item(item_id=A, categories=("X/Y", "Z"), available_from=5, available_until=9),
        Item(item_id=B, is_hidden=True),
    ]
    graph.write(items.upsert, told, now_ms=NOW)
    found = graph.read(on_shelf, [A, B, ItemId("nobody")])
    assert found == {
        A: OnShelf(False, 5, 9, ("X/Y", "Z")),
        B: OnShelf(is_away=True),
    }
    assert [found[A].is_shown(now) for now in (4, 5, 8, 9)] == [False, True, True, False]
    assert [found[A].is_within(path) for path in ("X", "X/Y", "Z", "Y")] == [
        True,
        True,
        True,
        False,
    ]
    graph.write(items.remove, [A], now_ms=NOW)
    assert graph.read(on_shelf, [A])[A].is_away

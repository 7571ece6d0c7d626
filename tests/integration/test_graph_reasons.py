"""Why an item fits a person: the strongest of their own real paths."""

import pytest

from backend.reasons import reasons
from backend.serving import Loaded
from graph import events, items, models, recommendations
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, ModelVersion, UserId
from graph.domain.models import Slot
from graph.recommendations import Reason
from graph.shelf import on_shelf
from tests.factories import FakeModel
from tests.stored import past_of

ANNA = UserId("c_anna")


@pytest.fixture
def shop(graph: Graph) -> Graph:
    """Anna bought tea and viewed a cup; the visitor she was bought a pot."""
    told = [("tea", "drinks"), ("coffee", "drinks"), ("cup", "ware"), ("pot", "pots")]
    told += [("mug", "ware"), ("far", "else")]
    rows = [Item(item_id=ItemId(name), categories=(path,)) for name, path in told]
    graph.write(items.upsert, rows, now_ms=1)
    did = [("tea", EventType.PURCHASE), ("cup", EventType.VIEW), ("cup", EventType.VIEW)]
    graph.write(
        events.record,
        [
            *(done(number, type_, name) for number, (name, type_) in enumerate(did)),
            done(8, EventType.PURCHASE, "pot", UserId("v_1")),
            Event(
                event_id=EventId("x"), type=EventType.IDENTIFY, user_id=ANNA, ts=9, received_ts=9,
                source="web", visitor_id=UserId("v_1"),
            ),
        ],
    )  # fmt: skip
    return graph


def done(number: int, type_: EventType, name: str, user_id: UserId = ANNA) -> Event:
    return Event(
        event_id=EventId(f"e{number}"), type=type_, user_id=user_id, ts=number, received_ts=9,
        source="web", item_id=ItemId(name),
    )  # fmt: skip


def reason(graph: Graph, name: str) -> Reason | None:
    return graph.read(recommendations.reasons, ANNA, [ItemId(name)]).get(ItemId(name))


def test_what_they_bought_before_comes_first(shop: Graph) -> None:
    shop.write(models.write_similar, ModelVersion("m"), [(ItemId("pot"), ItemId("tea"), 0.9)])
    assert reason(shop, "tea") == Reason("bought_again", ["you", "PURCHASED", "tea"])
    assert reason(shop, "cup") == Reason("viewed_before", ["you", "VIEWED", "cup"])


def test_a_similar_item_is_reached_over_the_stronger_behaviour(shop: Graph) -> None:
    near = [(ItemId("cup"), ItemId("mug"), 0.9), (ItemId("pot"), ItemId("mug"), 0.6)]
    shop.write(models.write_similar, ModelVersion("m"), near)
    path = ["you", "PURCHASED", "pot", "SIMILAR_TO", "mug"]
    assert reason(shop, "mug") == Reason("similar_to_purchased", path)


def test_the_same_category_is_the_last_resort(shop: Graph) -> None:
    path = ["you", "PURCHASED", "tea", "IN_CATEGORY", "drinks", "IN_CATEGORY", "coffee"]
    assert reason(shop, "coffee") == Reason("category_purchased", path)
    assert reason(shop, "far") is None


def test_a_stranger_has_no_reason(shop: Graph) -> None:
    asked = [ItemId("tea")]
    assert shop.read(recommendations.reasons, UserId("c_nobody"), asked) == {}


def test_memory_and_graph_name_the_same_reasons(shop: Graph) -> None:
    """With the history that the graph tells; each path can be shown by its query."""
    names = ["tea", "coffee", "cup", "pot", "mug", "far"]
    asked = [ItemId(name) for name in names]
    near = {"cup": [("mug", 0.9)], "pot": [("mug", 0.6)]}
    rows = [(ItemId(a), ItemId(b), score) for a, pairs in near.items() for b, score in pairs]
    shop.write(models.write_similar, ModelVersion("m"), rows)
    model = FakeModel(dict.fromkeys(names, 1.0), near=near)
    loaded = Loaded(model, ModelVersion("m"), Slot.BLUE, frozenset(names))
    history = past_of(shop, ANNA)
    by_graph = shop.read(recommendations.reasons, ANNA, asked)
    assert reasons(history, asked, shop.read(on_shelf, asked), loaded) == by_graph
    assert len(by_graph) == 5
    for one in by_graph.values():
        query = recommendations.shown_by(one, ANNA)
        assert query is not None
        assert shop.read(lambda tx, query=query: len(list(tx.run(query)))) >= 1

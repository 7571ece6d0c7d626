"""A person who asks is found by one statement, with all that an answer may use of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from neo4j.exceptions import ServiceUnavailable

from graph import events, items, known_people, models, tags
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.ids import ItemId, UserId
from graph.domain.models import Slot
from graph.errors import GraphRejected
from graph.known_people import Known, look_up
from tests.factories import ANNA, stored_model, told


@pytest.fixture
def shop(graph: Graph) -> Graph:
    """Anna looked at a boot, then at a hat, and has a vector; a model is live."""
    goods = [
        Item(item_id=ItemId(item_id), categories=(category,), price_minor=1, currency="EUR")
        for item_id, category in (("boot", "boots"), ("hat", "hats"))
    ]
    graph.write(items.upsert, goods, now_ms=1)
    graph.write(
        events.record,
        [
            told("e1", item_id=ItemId("boot"), ts=10),
            told("e2", item_id=ItemId("hat"), ts=20),
        ],
    )
    model = replace(stored_model("m-1"), slot=Slot.BLUE)
    graph.write(models.create, model)
    graph.write(models.activate, model.version, now_ms=1)
    graph.write(models.write_user_embeddings, Slot.BLUE, [(ANNA, [0.5, 1.0])])
    return graph


def ask(graph: Graph, user_id: UserId = ANNA, **changes: Any) -> Known:
    """With everything that an answer asks for."""
    return graph.ask(look_up, user_id, **({"slot": Slot.BLUE, "since_ms": 0, "limit": 9} | changes))


def visited(known: Known) -> list[str]:
    """The items of their past."""
    return [step.item_id for step in known.past]


def test_person_past_and_live_model_come_together(shop: Graph) -> None:
    known = ask(shop)
    assert known.person is not None
    assert (known.pointer, known.person.embedding, visited(known)) == (
        "m-1",
        [0.5, 1.0],
        ["hat", "boot"],
    )
    assert visited(ask(shop, limit=1)) == ["hat"]
    assert visited(ask(shop, since_ms=20)) == ["hat"]


def test_of_nobody_the_live_model_is_told_and_nothing_else(shop: Graph) -> None:
    assert ask(shop, UserId("c_nobody")) == Known(pointer=known_version(shop), person=None, past=())
    shop.run_alone("MATCH (m:Model) DELETE m")
    assert ask(shop, UserId("c_nobody")) == Known(pointer=None, person=None, past=())


def known_version(graph: Graph) -> Any:
    """The live model's."""
    model = graph.read(models.live)
    return None if model is None else model.version


def test_a_past_that_is_not_wanted_is_read_of_whom_not_all_may_be_used(shop: Graph) -> None:
    """What the shop holds elsewhere tells no categories, so it cannot be sorted out there."""
    assert visited(ask(shop, wants_past=False)) == []
    shop.write(tags.forbid, ANNA, "boots")
    known = ask(shop, wants_past=False)
    assert (known.is_restricted, visited(known)) == (True, ["hat"])


def test_a_model_that_goes_live_meanwhile_is_the_one_that_is_told(shop: Graph) -> None:
    """The vector is read before the pointer, so an answer notices that it may be another's."""

    def plan(tx: Any) -> Any:
        given = {"user_id": "", "slot": "blue", "since_ms": 0, "limit": 1, "wants_past": True}
        return tx.run(f"EXPLAIN {known_people._LOOK_UP}", **given).consume().plan

    order = list(in_order(shop.read(plan)))
    vector = next(n for n, told in enumerate(order) if "embedding_blue" in told)
    pointer = next(n for n, told in enumerate(order) if "m:Model" in told)
    assert vector < pointer


def in_order(plan: dict[str, Any]) -> Any:
    """What each step of a plan does, as the server runs them: what is fed first comes first."""
    for child in plan.get("children", ()):
        yield from in_order(child)
    yield str(plan["args"].get("Details", ""))


def test_a_connection_that_broke_meanwhile_is_not_noticed(shop: Graph) -> None:
    """As with a transaction, which the driver tries again."""
    breaks = iter([ServiceUnavailable("closed")])

    def once_broken(tx: Any, question: Callable[..., Known]) -> Known:
        if error := next(breaks, None):
            raise error
        return question(tx, ANNA, slot=None, since_ms=0, limit=9)

    assert visited(shop.ask(once_broken, look_up)) == ["hat", "boot"]


def test_who_asks_does_not_write(shop: Graph) -> None:
    def write(tx: Any) -> None:
        tx.run("CREATE (:User {user_id: 'c_mallory', idx: 99})").consume()

    with pytest.raises(GraphRejected, match=r"(?i)read access"):
        shop.ask(write)
    with pytest.raises(GraphRejected):
        shop.ask(lambda tx: tx.run("not a query").consume())


def test_a_value_that_cannot_be_sent_is_refused_as_in_a_transaction(shop: Graph) -> None:
    with pytest.raises(GraphRejected, match="cannot be stored"):
        ask(shop, UserId("\ud800"))

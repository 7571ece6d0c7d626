"""Purchases that a tracker and a platform tell of: both are kept, one counts."""

from typing import Any

from graph import duplicates, events, items, pulls
from graph.client import Graph
from graph.domain.events import Event, EventType
from graph.domain.ids import ItemId, UserId
from tests.factories import ANNA, told
from tests.stored import past_of

MINUTE = 60_000


def bought(event_id: str, source: str, order_id: str = "o-1", **changes: Any) -> Event:
    """One line of an order as a source tells it."""
    line = {"line": 1, "order_id": order_id, "price_minor": 500, "currency": "EUR"}
    return told(f"{source}|{event_id}", EventType.PURCHASE, source=source, **(line | changes))


def marks(graph: Graph) -> dict[str, tuple[str | None, list[str] | None]]:
    """Which telling counts, and what the two disagree on, by event id."""
    query = """
        MATCH ()-[p:PURCHASED]->()
        RETURN p.event_id AS id, p.duplicate_of AS first, p.disagrees_on AS differs
    """
    rows = graph.read(lambda tx: tx.run(query).data())
    return {row["id"]: (row["first"], row["differs"]) for row in rows}


def match(graph: Graph, within_ms: int = 10 * MINUTE) -> None:
    """Look for purchases told twice under two orders, as the hourly job does."""
    upper = graph.read(pulls.last_seq)
    found = graph.read(duplicates.find, after=0, upper=upper, within_ms=within_ms)
    graph.write(duplicates.mark, found)


def test_a_line_told_by_two_sources_is_two_edges_of_which_one_counts(graph: Graph) -> None:
    """Nothing that was said is lost, and the purchase counts once, also in what is popular."""
    recorded = graph.write(events.record, [bought("a", "web")])
    assert not recorded.told_again
    recorded = graph.write(events.record, [bought("b", "taobao", ts=2000)])
    assert recorded.told_again == {"taobao|b"}
    assert marks(graph) == {"web|a": (None, None), "taobao|b": ("web|a", None)}
    assert graph.read(items.popular, since_ms=0, limit=5) == [("A", 6.0)]
    assert len(past_of(graph, ANNA, limit=9)) == 1


def test_two_tellings_in_one_batch_are_matched_as_well(graph: Graph) -> None:
    graph.write(events.record, [bought("a", "web"), bought("b", "taobao", price_minor=700)])
    assert marks(graph)["taobao|b"] == ("web|a", ["price_minor"])


def test_a_source_that_tells_a_line_again_adds_nothing(graph: Graph) -> None:
    graph.write(events.record, [bought("a", "web"), bought("b", "taobao")])
    recorded = graph.write(events.record, [bought("c", "taobao")])
    assert recorded.duplicates == ("taobao|c",)
    assert len(marks(graph)) == 2


def test_lines_that_two_sources_number_otherwise_are_matched_in_order(graph: Graph) -> None:
    """The first A of one telling is the first A of the other, whatever the lines are called."""
    web = [bought("a", "web", line=1), bought("b", "web", line=2)]
    shop = [bought("a", "jd", line=7), bought("b", "jd", line=9), bought("c", "jd", line=11)]
    graph.write(events.record, [*web, *shop])
    firsts = {event_id: first for event_id, (first, _) in marks(graph).items()}
    assert firsts == {
        "web|a": None, "web|b": None, "jd|a": "web|a", "jd|b": "web|b", "jd|c": None
    }  # fmt: skip


def test_a_line_that_comes_late_is_put_in_its_place(graph: Graph) -> None:
    """The second line came first and stood in for the first; now each has its own."""
    web = [bought("a", "web", line=1), bought("b", "web", line=2)]
    graph.write(events.record, [*web, bought("b", "jd", line=2)])
    assert marks(graph)["jd|b"] == ("web|a", None)
    graph.write(events.record, [bought("a", "jd", line=1)])
    firsts = {event_id: first for event_id, (first, _) in marks(graph).items()}
    assert firsts == {"web|a": None, "web|b": None, "jd|a": "web|a", "jd|b": "web|b"}


def test_a_telling_that_stood_in_for_another_counts_once_that_comes(graph: Graph) -> None:
    """One source knows of one piece, the other of two."""
    graph.write(events.record, [bought("a", "web", line=1), bought("b", "jd", line=2)])
    assert marks(graph)["jd|b"] == ("web|a", None)
    graph.write(events.record, [bought("a", "jd", line=1)])
    firsts = {event_id: first for event_id, (first, _) in marks(graph).items()}
    assert firsts == {"web|a": None, "jd|a": "web|a", "jd|b": None}


def test_the_return_of_an_order_takes_back_what_counts_and_no_more(graph: Graph) -> None:
    graph.write(events.record, [bought("a", "web"), bought("b", "taobao")])
    whole = told("r", EventType.REFUND, item_id=None, order_id="o-1", ts=5000)
    graph.write(events.record, [whole])
    query = "MATCH ()-[r:REFUNDED]->() RETURN r.event_id AS id"
    assert graph.read(lambda tx: tx.run(query).value()) == ["web|a|refund"]


def test_without_a_common_order_person_item_time_and_amount_tell(graph: Graph) -> None:
    """One of two equal purchases is matched once, the nearest in time."""
    graph.write(
        events.record,
        [
            bought("a", "web", "w-1", ts=0),
            bought("b", "web", "w-2", ts=4 * MINUTE),
            bought("c", "taobao", "t-1", ts=3 * MINUTE, price_minor=None, amount_minor=500),
        ],
    )
    match(graph)
    assert {name: first for name, (first, _) in marks(graph).items()} == {
        "web|a": None,
        "web|b": None,
        "taobao|c": "web|b",
    }


def test_a_purchase_that_differs_in_anything_is_another_one(graph: Graph) -> None:
    graph.write(
        events.record,
        [
            bought("a", "web", "w-1", ts=0),
            bought("later", "taobao", "t-1", ts=11 * MINUTE),
            bought("dearer", "taobao", "t-2", ts=0, price_minor=501),
            bought("else", "taobao", "t-3", ts=0, item_id=ItemId("B")),
            bought("other", "taobao", "t-4", ts=0, user_id=UserId("c_bea")),
            bought("again", "web", "w-2", ts=0),
            bought("money", "taobao", "t-5", ts=0, currency="USD"),
        ],
    )
    match(graph)
    assert not [first for first, _ in marks(graph).values() if first]


def test_the_visitor_and_the_customer_they_became_are_one_buyer(graph: Graph) -> None:
    visitor = UserId("v_anna")
    login = told("i", EventType.IDENTIFY, item_id=None, visitor_id=visitor)
    graph.write(events.record, [bought("a", "web", "w-1", user_id=visitor), login])
    graph.write(events.record, [bought("b", "taobao", "t-1", ts=MINUTE)])
    match(graph)
    match(graph)
    assert marks(graph)["taobao|b"] == ("web|a", None)

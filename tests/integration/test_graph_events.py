"""Batches of events in a real graph: each once, whatever happens, and read back in order."""

from typing import Any

import pytest

from graph import events, known_events, pulls, users
from graph.client import Graph
from graph.domain.events import ITEM_BEHAVIOURS, Event, EventType
from graph.domain.ids import DeviceId, EventId, ItemId, UserId
from graph.edges import COLUMNS
from tests.factories import ANNA, told
from tests.stored import past_of, person_of

VISITOR = UserId("v_77")


def bought(event_id: str, **changes: Any) -> Event:
    return told(event_id, EventType.PURCHASE, **({"order_id": "o1", "line": 1} | changes))


def stored(graph: Graph, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return graph.read(lambda tx: tx.run(query, **parameters).data())


def edges_in(graph: Graph) -> int:
    return int(stored(graph, "MATCH (:User)-[r]->() WHERE r.seq > 0 RETURN count(r) AS n")[0]["n"])


@pytest.mark.parametrize("type_", ITEM_BEHAVIOURS)
def test_every_item_behaviour_becomes_its_edge(graph: Graph, type_: EventType) -> None:
    graph.write(events.record, [told("e1", type_, order_id="o1")])
    rows = stored(
        graph, "MATCH (u:User)-[r]->(i:Item) RETURN u.user_id AS u, type(r) AS t, r.seq AS s"
    )
    assert rows == [{"u": ANNA, "t": ITEM_BEHAVIOURS[type_].relationship, "s": 1}]


def test_a_batch_again_changes_nothing(graph: Graph) -> None:
    batch = [told("e1"), told("e2", ts=2000, item_id=ItemId("B")), bought("e3")]
    first = graph.write(events.record, batch)
    again = graph.write(events.record, batch)
    assert first.stored == {"e1", "e2", "e3"}
    assert first.last_seq == again.last_seq == 3
    assert again.stored == frozenset()
    assert again.duplicates == ("e1", "e2", "e3")
    assert edges_in(graph) == 3


def test_a_repeat_inside_a_batch_is_a_duplicate(graph: Graph) -> None:
    recorded = graph.write(events.record, [told("e1"), told("e1")])
    assert (recorded.stored, recorded.duplicates) == ({"e1"}, ("e1",))


@pytest.mark.parametrize(
    "changes",
    [{"ts": 5}, {"item_id": ItemId("B")}, {"user_id": UserId("c_bob")}, {"type": EventType.CART}],
    ids=["time", "item", "person", "type"],
)
@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
def test_the_first_telling_stays_where_contents_differ(
    graph: Graph, changes: dict[str, Any], together: bool
) -> None:
    first = told("e1")
    other = first._replace(**changes)
    if together:
        recorded = graph.write(events.record, [first, other])
    else:
        graph.write(events.record, [first])
        recorded = graph.write(events.record, [other])
    assert recorded.conflicts == ("e1",)
    assert graph.read(known_events.known, [EventId("e1")]) == {
        EventId("e1"): known_events.telling(first)
    }


def test_a_line_is_known_by_its_order_under_another_event_id_too(graph: Graph) -> None:
    recorded = graph.write(events.record, [bought("a"), bought("b"), bought("c", line=2)])
    assert recorded.duplicates == ("b",)
    recorded = graph.write(events.record, [bought("d")])
    assert recorded.duplicates == ("d",)
    assert edges_in(graph) == 2


def test_every_field_comes_back_from_the_edge(graph: Graph) -> None:
    event = told(
        "e1", EventType.REVIEW, rating=4.5, flags=("late",), region="store:1", attributes='{"a":1}',
        price_minor=0, sent_ts=999, session_id="s", quantity=2, dwell_ms=0, channel="mail",
    )  # fmt: skip
    graph.write(events.record, [event, told("e2", EventType.REVIEW, item_id=ItemId("B"))])
    row = stored(graph, "MATCH ()-[r:REVIEWED {event_id: 'e1'}]->() RETURN properties(r) AS r")[0]
    kept = {name: row["r"].get(name) for name in COLUMNS}
    assert kept == {name: getattr(event, name) for name in COLUMNS} | {"flags": ["late"]}


def test_people_items_and_devices_appear_with_their_places(graph: Graph) -> None:
    graph.write(
        events.record,
        [
            told("e1", ts=50, device_id=DeviceId("d_1"), device_type="mobile"),
            told("e2", ts=20, device_id=DeviceId("d_1"), user_ref="sealed", item_id=ItemId("B")),
            told("e3", ts=90, user_id=VISITOR),
        ],
    )
    people = stored(
        graph,
        "MATCH (u:User) RETURN u.user_id AS id, u.kind AS kind, u.ref AS ref, u.idx AS idx, "
        "u.first_seen AS first, u.last_seen AS last ORDER BY id",
    )
    assert people == [
        {"id": ANNA, "kind": "customer", "ref": "sealed", "idx": 1, "first": 20, "last": 50},
        {"id": VISITOR, "kind": "visitor", "ref": None, "idx": 2, "first": 90, "last": 90},
    ]
    uses = stored(
        graph,
        "MATCH (:User)-[r:USES]->(d:Device) "
        "RETURN d.kind AS kind, r.first_seen AS f, r.last_seen AS l",
    )
    assert uses == [{"kind": "mobile", "f": 20, "l": 50}]
    assert [row["i"] for row in stored(graph, "MATCH (i:Item) RETURN i.idx AS i ORDER BY i")] == [
        1,
        2,
    ]


def test_first_and_last_sight_stretch_with_late_and_new_events(graph: Graph) -> None:
    for event_id, ts in (("e1", 50), ("e2", 10), ("e3", 90), ("e4", 60)):
        graph.write(events.record, [told(event_id, ts=ts)])
    row = stored(graph, "MATCH (u:User) RETURN u.first_seen AS first, u.last_seen AS last")[0]
    assert row == {"first": 10, "last": 90}


def test_an_impression_is_one_shown_list(graph: Graph) -> None:
    shown = told(
        "i1", EventType.IMPRESSION, item_id=None, shown_items=("B", "A"), recommendation_id="r-1"
    )
    graph.write(events.record, [shown])
    assert graph.write(events.record, [shown]).duplicates == ("i1",)
    rows = stored(
        graph,
        "MATCH (:User)-[s:SAW]->(i:Impression) RETURN i.item_ids AS items, "
        "i.recommendation_id AS r, s.seq = i.seq AS same",
    )
    assert rows == [{"items": ["B", "A"], "r": "r-1", "same": True}]


def test_searches_share_the_node_of_their_words(graph: Graph) -> None:
    words = [told(e, EventType.SEARCH, item_id=None, query="red tea") for e in ("s1", "s2")]
    graph.write(events.record, words)
    rows = stored(
        graph, "MATCH (:User)-[r:SEARCHED]->(q:Query) RETURN q.text AS text, count(r) AS n"
    )
    assert rows == [{"text": "red tea", "n": 2}]


def identified(event_id: str, customer: UserId = ANNA) -> Event:
    return told(event_id, EventType.IDENTIFY, item_id=None, user_id=customer, visitor_id=VISITOR)


def test_history_is_newest_first_and_includes_the_visitor_they_were(graph: Graph) -> None:
    graph.write(
        events.record,
        [
            told("e1", ts=10, user_id=VISITOR),
            told("e2", EventType.CART, ts=30, price_minor=250),
            told("e3", ts=20, item_id=ItemId("B")),
            identified("x1"),
        ],
    )
    full = [
        events.PastEvent(EventType.CART, ItemId("A"), 30, 250),
        events.PastEvent(EventType.VIEW, ItemId("B"), 20, None),
        events.PastEvent(EventType.VIEW, ItemId("A"), 10, None),
    ]
    assert past_of(graph, ANNA, limit=10) == full
    assert past_of(graph, VISITOR, limit=10) == full
    assert past_of(graph, ANNA, since_ms=15, limit=1) == full[:1]
    assert past_of(graph, UserId("c_nobody"), limit=5) == []


def test_a_failing_batch_leaves_nothing_behind(graph: Graph) -> None:
    with pytest.raises(ZeroDivisionError):
        graph.write(lambda tx: events.record(tx, [told("e1")]) and 1 / 0)
    assert edges_in(graph) == 0
    assert graph.read(pulls.last_seq) == 0
    assert graph.write(events.record, [told("e1")]).last_seq == 1


def test_consent_of_an_event_reaches_the_person_and_the_newest_wins_per_purpose(
    graph: Graph,
) -> None:
    graph.write(events.record, [told("e1", ts=50, consent='{"marketing":"denied"}')])
    late = told("e2", ts=10, consent='{"marketing":"granted","collection":"granted"}')
    graph.write(events.record, [late])
    person = person_of(graph, ANNA)
    assert person is not None
    assert person.consent == {"marketing": "denied", "collection": "granted"}
    assert graph.read(users.consents, ANNA) == {
        "marketing": users.Consent(state="denied", at_ms=50, source="web"),
        "collection": users.Consent(state="granted", at_ms=10, source="web"),
    }


def test_an_empty_batch_is_no_trouble(graph: Graph) -> None:
    assert graph.write(events.record, []).stored == frozenset()

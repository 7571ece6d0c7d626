"""How events are laid out for the statement that creates their edges."""

from typing import Any

import pytest

from graph import edges, refunds, users
from graph.domain.events import FIELD_NAMES, Event, EventType
from graph.domain.ids import EventId, ItemId, UserId


def told(number: int, **changes: Any) -> Event:
    values: dict[str, Any] = {
        "event_id": EventId(f"e{number}"),
        "type": EventType.VIEW,
        "user_id": UserId("c_1"),
        "ts": number,
        "received_ts": 0,
        "source": "web",
        "item_id": ItemId("A"),
    }
    return Event(**(values | changes))


def table(*events: Event) -> tuple[tuple[str, ...], list[list[Any]]]:
    return edges._table(edges.EDGES[events[0].type], list(enumerate(events, start=1)))


@pytest.mark.parametrize("type_", EventType)
def test_every_event_type_has_an_edge(type_: EventType) -> None:
    assert edges.EDGES[type_].relationship.isupper()


def test_only_columns_that_somebody_uses_travel() -> None:
    names, groups = table(told(1), told(2, price_minor=0), told(3, flags=("late",)))
    assert names == ("event_id", "ts", "received_ts", "source", "price_minor", "flags")
    (start, rows) = groups[0]
    assert start == "c_1"
    assert rows == [
        ("A", 1, "e1", 1, 0, "web", None, None),
        ("A", 2, "e2", 2, 0, "web", 0, None),
        ("A", 3, "e3", 3, 0, "web", None, ["late"]),
    ]


def test_rows_stand_by_person_and_end_whatever_the_order_of_arrival() -> None:
    events = [told(1, user_id=UserId("c_2")), told(2, item_id=ItemId("B")), told(3)]
    _, groups = table(*events)
    assert [(start, [row[0] for row in rows]) for start, rows in groups] == [
        ("c_1", ["A", "B"]),
        ("c_2", ["A"]),
    ]
    assert [row[1] for _, rows in groups for row in rows] == [3, 2, 1], "seq is by arrival"


def test_every_field_is_on_the_edge_or_beside_it() -> None:
    beside = set(FIELD_NAMES) - set(edges.COLUMNS)
    assert beside == {
        "type", "user_id", "item_id", "visitor_id", "user_ref", "query", "shown_items",
        "shown_positions",
    }  # fmt: skip


def test_an_identity_starts_at_the_visitor() -> None:
    _, groups = table(told(1, type=EventType.IDENTIFY, item_id=None, visitor_id=UserId("v_1")))
    (start, rows) = groups[0]
    assert (start, rows[0][0]) == ("v_1", "c_1")


def test_a_refund_without_an_item_is_of_the_whole_order() -> None:
    refund = told(1, type=EventType.REFUND, item_id=None, order_id="o")
    assert refunds.is_whole_order(refund)
    assert not refunds.is_whole_order(refund._replace(item_id=ItemId("A")))
    assert not refunds.is_whole_order(told(1, type=EventType.SEARCH, item_id=None))


def test_a_sighting_stretches_and_keeps_the_newest_consent() -> None:
    one = users.Sighting(user_id=UserId("c_1"))
    for ts in (5, 2, 9):
        one.saw(ts)
    one.agreed({"marketing": "denied", "other": "granted"}, 9, "web")
    one.agreed({"marketing": "granted", "collection": "granted"}, 5, "app")
    assert (one.first_ts, one.last_ts) == (2, 9)
    assert one.consent == {
        "marketing": users.Said(9, users.STATES.index("denied"), "web"),
        "collection": users.Said(5, users.STATES.index("granted"), "app"),
    }


@pytest.mark.parametrize("said", [("denied", "granted"), ("granted", "denied")])
def test_of_two_things_said_at_one_time_the_stricter_counts(said: tuple[str, str]) -> None:
    one = users.Sighting(user_id=UserId("c_1"))
    for state in said:
        one.agreed({"marketing": state}, 9, "web")
    assert users.STATES[one.consent["marketing"].state] == "denied"

"""The door: each row is answered by itself, in order, with stable codes."""

from typing import Any

import pytest

from graph.domain.events import EventType
from workers.intake.body import parse_rows
from workers.intake.door import Door
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Checked, Fault, Status

NOW = 1_772_352_000_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))
DOOR = Door(PSEUDONYMS)


def row(**changes: Any) -> dict[str, Any]:
    """A good view, changed; ``...`` takes a field away."""
    good: dict[str, Any] = {
        "event_id": "e1",
        "event_type": "view",
        "user_id": "u-17",
        "item_id": "SKU-1",
        "event_time": "2026-03-01T08:00:00Z",
    }
    changed = good | changes
    return {name: value for name, value in changed.items() if value is not ...}


def check(*rows: object, **options: Any) -> Checked:
    """The rows after the door, as the web door would send them."""
    return DOOR.check(rows, default_source="web", received_ms=NOW, **options)


def first_fault(*rows: object) -> Fault:
    """The first fault of the first row, which must be refused."""
    result = check(*rows).rows[0]
    assert result.status is Status.REJECTED
    return result.faults[0]


REQUIRED: dict[str, dict[str, Any]] = {
    "impression": {"item_id": ..., "impression": [{"item_id": "a", "position": 1}]},
    "click": {},
    "view": {},
    "cart": {},
    "uncart": {},
    "favorite": {},
    "unfavorite": {},
    "purchase": {"order_id": "o1"},
    "refund": {"order_id": "o1", "item_id": ...},
    "review": {"rating": 4.5},
    "inquiry": {},
    "share": {},
    "search": {"query": "tea", "item_id": ...},
    "identify": {"anonymous_id": "a1", "item_id": ...},
}


@pytest.mark.parametrize("event_type", list(EventType))
def test_each_type_is_taken_with_its_required_fields(event_type: EventType) -> None:
    """All event types of the product pass the door as what they are."""
    checked = check(row(event_type=event_type.value, **REQUIRED[event_type.value]))
    assert [result.status for result in checked.rows] == [Status.ACCEPTED]
    assert [event.type for event in checked.events] == [event_type]


@pytest.mark.parametrize(
    ("event_type", "field"),
    [
        ("impression", "impression"),
        ("view", "item_id"),
        ("purchase", "order_id"),
        ("refund", "order_id"),
        ("review", "rating"),
        ("search", "query"),
        ("identify", "anonymous_id"),
        ("identify", "user_id"),
        ("view", "event_id"),
        ("view", "event_time"),
    ],
)
@pytest.mark.parametrize("absent", [..., None])
def test_a_required_field_that_is_missing_or_null_is_named(
    event_type: str, field: str, absent: object
) -> None:
    """JSON null means absent."""
    changes = REQUIRED[event_type] | {field: absent, "event_type": event_type}
    fault = first_fault(row(**changes))
    assert fault == Fault("missing_field", field)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"event_type": "teleport"}, Fault("unknown_event_type", "event_type")),
        ({"event_type": ...}, Fault("missing_field", "event_type")),
        ({"user_id": ...}, Fault("missing_field", "user_id")),
        ({"user_id": 17}, Fault("invalid_type", "user_id")),
        ({"item_id": float("nan")}, Fault("invalid_type", "item_id")),
        ({"item_id": "x" * 256}, Fault("id_too_long", "item_id")),
        ({"item_id": "é" * 128}, Fault("id_too_long", "item_id")),
        ({"item_id": "a\nb"}, Fault("invalid_id", "item_id")),
        ({"source": "a|b"}, Fault("invalid_id", "source")),
        ({"channel": "a\0b"}, Fault("invalid_text", "channel")),
        ({"channel": "\ud800"}, Fault("invalid_text", "channel")),
        ({"quantity": 0}, Fault("invalid_type", "quantity")),
        ({"quantity": True}, Fault("invalid_type", "quantity")),
        ({"value": float("inf")}, Fault("invalid_type", "value")),
        ({"value": float("nan")}, Fault("invalid_type", "value")),
        ({"price_minor": 1250}, Fault("invalid_money", "currency")),
        ({"currency": "CNY"}, Fault("invalid_money", "price_minor")),
        ({"price_minor": -1, "currency": "CNY"}, Fault("invalid_money", "price_minor")),
        ({"price_minor": "¥12.5", "currency": "CNY"}, Fault("invalid_money", "price_minor")),
        ({"price_minor": 12.5, "currency": "CNY"}, Fault("invalid_money", "price_minor")),
        ({"price_minor": 1, "currency": "yuan"}, Fault("invalid_money", "currency")),
        ({"event_time": 1_772_352_000}, Fault("invalid_time", "event_time")),
        ({"event_time": "2026-03-01T08:00:00"}, Fault("time_without_zone", "event_time")),
        ({"attributes": {"note": "x" * 9_000}}, Fault("row_too_large", "attributes")),
        ({"attributes": {"n": [1, {"deep": float("nan")}]}}, Fault("invalid_type", "attributes")),
        ({"attributes": {"mail": "ann@example.org"}}, Fault("invalid_text", "attributes")),
        ({"attributes": {"tel": "call 13812345678"}}, Fault("invalid_text", "attributes")),
        ({"attributes": {"tel": 13812345678}}, Fault("invalid_text", "attributes")),
        ({"attributes": {"tel": "+49 (30) 123456-78"}}, Fault("invalid_text", "attributes")),
        ({"consent": {"collection": "denied"}}, Fault("no_consent", "consent.collection")),
    ],
)
def test_a_bad_field_is_refused_with_its_code(changes: dict[str, Any], fault: Fault) -> None:
    """The codes are stable, the field is named."""
    assert first_fault(row(**changes)) == fault


@pytest.mark.parametrize(
    "garbage",
    ["", " ", "null", "NULL", "undefined", "None", "NaN", "0", " 0 ", "[object Object]", "guest",
     "Anonymous"],
)  # fmt: skip
def test_c3_garbage_ids_are_refused(garbage: str) -> None:
    """No giant user collects everybody who has no id."""
    assert first_fault(row(user_id=garbage)) == Fault("invalid_id", "user_id")


def test_c3_a_null_user_with_a_visitor_is_that_visitor() -> None:
    """Null counts as absent."""
    checked = check(row(user_id=None, anonymous_id="a1"))
    assert checked.events[0].user_id == PSEUDONYMS.visitor("a1")


@pytest.mark.parametrize(
    "item_id",
    ["SKU-1", "sku-1", "sku 1", "sku-1 ", "ＳＫＵ-1", "é", "e\u0301", "颜色/红", "a/b", "a?b#c",
     "..", "🧦", "a\u200fb", "x" * 255, "é" * 127],
)  # fmt: skip
def test_c1_ids_are_byte_exact(item_id: str) -> None:
    """Not trimmed, lower-cased or normalised."""
    assert check(row(item_id=item_id)).events[0].item_id == item_id


@pytest.mark.parametrize("price", ["", -1, float("nan"), "¥12.5", 12.5, True, [1250]])
@pytest.mark.parametrize("field", ["price_minor", "amount_minor"])
def test_c5_a_price_that_is_none_is_refused_by_rule(price: object, field: str) -> None:
    """Nothing is rounded, parsed or taken for zero."""
    assert first_fault(row(**{field: price}, currency="CNY")) == Fault("invalid_money", field)


@pytest.mark.parametrize(("price", "stored"), [(0, 0), (1250, 1250), (None, None), (..., None)])
def test_c5_a_price_may_be_zero_or_absent(price: object, stored: int | None) -> None:
    """A gift has a price, and what is null is absent."""
    currency = "CNY" if isinstance(price, int) else ...
    (event,) = check(row(price_minor=price, currency=currency)).events
    assert event.price_minor == stored


def test_a_bad_row_touches_none_of_its_neighbours() -> None:
    """Rows are answered alone and in order; whatever a row is, it is answered."""
    rows: list[object] = [
        row(),
        None,
        7,
        [],
        "x",
        {},
        row(event_id="e2", user_id="null"),
        row(event_id="e3"),
    ]
    checked = check(*rows)
    assert [result.index for result in checked.rows] == list(range(8))
    assert [result.status.value for result in checked.rows] == [
        "accepted", *["rejected"] * 6, "accepted",
    ]  # fmt: skip
    assert [event.event_id for event in checked.events] == ["web|e1", "web|e3"]


def test_all_faults_of_a_row_are_reported() -> None:
    """Also those that need more than one field."""
    bad = row(item_id="", user_id=None, event_time="soon", price_minor=3)
    faults = set(check(bad).rows[0].faults)
    assert faults == {
        Fault("invalid_id", "item_id"),
        Fault("invalid_time", "event_time"),
        Fault("missing_field", "user_id"),
        Fault("invalid_money", "currency"),
    }


def test_a3_a_repeat_inside_a_request_is_a_duplicate_and_other_content_a_conflict() -> None:
    """The first telling wins."""
    checked = check(row(), row(), row(item_id="SKU-2"), row(sent_at="2026-03-01T08:00:01Z"))
    assert [one.status.value for one in checked.rows] == [
        "accepted", "duplicate", "conflict", "duplicate",
    ]  # fmt: skip
    assert [event.item_id for event in checked.events] == ["SKU-1"]


def test_a8_received_at_of_a_client_is_ignored() -> None:
    """The server's own time is stored."""
    event = check(row(received_at="1999-01-01T00:00:00Z")).events[0]
    assert event.received_ts == NOW


def test_b4_impossible_times_are_quarantined_and_leave_no_event() -> None:
    """The year 2099 and the year 1 move nothing."""
    far = row(event_id="f", event_time="2099-01-01T00:00:00Z")
    old = row(event_id="o", event_time="0001-01-01T00:00:00Z")
    checked = check(far, old, row())
    assert [one.status.value for one in checked.rows] == ["quarantined", "quarantined", "accepted"]
    assert checked.rows[0].faults == (Fault("time_out_of_range", "event_time"),)
    assert len(checked.events) == 1


def test_times_that_are_a_little_wrong_are_flagged() -> None:
    """Clamped ahead, late behind; history is received when it happened."""
    ahead = row(event_time="2026-03-01T09:00:00Z")
    late = row(event_time="2025-03-01T08:00:00Z")
    assert check(ahead).events[0].flags == ("future_clamped",)
    assert check(ahead).events[0].ts == NOW
    assert check(late).events[0].flags == ("late",)
    imported = check(late, imported=True).events[0]
    assert (imported.flags, imported.received_ts) == ((), imported.ts)


def test_an_order_becomes_one_event_per_line() -> None:
    """Each line has its own id; money and quantity stay with their line."""
    lines = [
        {"line": 1, "item_id": "a", "quantity": 2, "price_minor": 5, "currency": "EUR"},
        {"line": 2, "item_id": "b", "quantity": 1},
    ]
    order = row(event_type="purchase", order_id="o", item_id=..., lines=lines, coupon_id="c")
    first, second = check(order).events
    assert (first.event_id, second.event_id) == ("web|e1|1", "web|e1|2")
    assert (first.item_id, first.quantity, first.price_minor) == ("a", 2, 5)
    assert (second.item_id, second.price_minor, second.coupon_id) == ("b", None, "c")
    assert first.order_id == second.order_id == "o"


def test_a_line_number_twice_in_an_order_is_refused() -> None:
    """Two lines would share one id."""
    lines = [{"line": 1, "item_id": "a"}, {"line": 1, "item_id": "b"}]
    order = row(event_type="purchase", order_id="o", item_id=..., lines=lines)
    assert first_fault(order) == Fault("invalid_type", "lines.1.line")


def test_an_order_without_lines_or_item_is_refused() -> None:
    """There is nothing to make an edge of."""
    assert first_fault(row(event_type="purchase", order_id="o", item_id=...)) == Fault(
        "missing_field", "lines"
    )


def test_ids_with_bars_never_meet() -> None:
    """The client's id and the line cannot be mistaken for one another."""
    order = row(
        event_id="e", event_type="purchase", order_id="o", lines=[{"line": 1, "item_id": "a"}]
    )
    checked = check(order, row(event_id="e|1"))
    assert len({event.event_id for event in checked.events}) == 2


def test_a_list_of_items_keeps_order_and_positions() -> None:
    """Positions are stored only where they are not 1, 2, 3."""
    plain = [{"item_id": "b", "position": 2}, {"item_id": "a", "position": 1}]
    later = [{"item_id": "a", "position": 21}, {"item_id": "b", "position": 23}]
    shown = check(row(event_type="impression", item_id=..., impression=plain)).events[0]
    page = check(row(event_type="impression", item_id=..., impression=later)).events[0]
    assert (shown.shown_items, shown.shown_positions) == (("a", "b"), None)
    assert (page.shown_items, page.shown_positions) == (("a", "b"), (21, 23))


def test_identify_names_the_visitor_and_the_customer() -> None:
    """The edge goes from the one to the other."""
    event = check(row(event_type="identify", anonymous_id="a1", item_id=...)).events[0]
    assert event.visitor_id == PSEUDONYMS.visitor("a1")
    assert (event.user_id, event.user_ref) == PSEUDONYMS.customer("u-17")


def test_no_raw_id_of_a_person_or_device_passes_the_door() -> None:
    """Nothing behind the door sees them."""
    secret = "canary-4711"
    event = check(row(user_id=secret, anonymous_id=f"{secret}-a", device_id=f"{secret}-d")).events
    assert secret not in repr(event)


def test_c6_attributes_come_back_as_they_were_sent() -> None:
    """Lists of mixed kinds too."""
    import json

    sent = {"mixed": [1, 2.5, "3", None, True], "text": "颜色"}
    text = check(row(attributes=sent)).events[0].attributes
    assert text is not None
    assert json.loads(text) == sent


def test_a13_a_huge_row_is_refused_alone() -> None:
    """64 KiB a row; the small one beside it is taken."""
    checked = check(row(event_id="big", unknown="x" * 70_000), row())
    assert checked.rows[0].faults == (Fault("row_too_large"),)
    assert checked.rows[1].status is Status.ACCEPTED


def test_bad_rows_among_good_ones_are_told_of_as_if_each_were_alone() -> None:
    """Of any kind and at any place; the good ones keep their places."""
    rows = [7, row(event_id="a"), row(event_type="nap"), row(event_id="b"), row(item_id=3), None]
    together = check(*rows).rows
    assert [one.event_id for one in together if one.status is Status.ACCEPTED] == ["a", "b"]
    for one, alone in zip(together, rows, strict=True):
        (expected,) = check(alone).rows
        assert (one.status, one.faults) == (expected.status, expected.faults)


def test_what_strict_json_forbids_is_refused_in_its_row() -> None:
    """NaN, half a surrogate pair and broken bytes spoil one row, not the request."""
    good = b'{"event_id":"e%d","event_type":"view","user_id":"u","item_id":"i",'
    good += b'"event_time":"2026-03-01T08:00:00Z"%s}'
    rows = [good % (1, b""), good % (2, b',"value":NaN'), good % (3, b',"channel":"\\ud800"')]
    rows.append(good % (4, b',"channel":"\xff"'))
    checked = check(*parse_rows(b"[" + b",".join(rows) + b"]"))
    assert [one.code for one in checked.rows] == [
        None,
        "invalid_type",
        "invalid_text",
        "invalid_text",
    ]


def test_the_answer_of_a_row_lists_faults_only_where_there_are_some() -> None:
    """As the API documents it."""
    accepted, refused = check(row(), row(event_id="e2", user_id="null")).rows
    assert accepted.as_json() == {"index": 0, "event_id": "e1", "status": "accepted"}
    assert refused.as_json() == {
        "index": 1, "event_id": "e2", "status": "rejected", "code": "invalid_id",
        "field": "user_id",
    }  # fmt: skip

"""Behaviour comes in row by row; what is good is never lost to what is bad."""

import gzip
from typing import Any

import orjson
import pytest

from tests.factories import BROWSER, NOW_MS, ORIGIN, SERVER, World, world

GOOD: dict[str, Any] = {
    "event_id": "e1",
    "event_type": "view",
    "user_id": "u-1",
    "item_id": "SKU-1",
    "event_time": "2025-10-09T08:00:00Z",
}


def post(here: World, body: Any, **more: Any) -> Any:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return here.client.post("/v1/events", data=data, headers={**BROWSER, **more})


def test_one_event_is_kept_before_the_202() -> None:
    """The stream has it, under a pseudonym, when the answer goes out."""
    here = world()
    answer = post(here, GOOD)
    assert answer.status_code == 202
    assert answer.json["accepted"] == 1
    assert answer.json["rows"] == [{"index": 0, "event_id": "e1", "status": "accepted"}]
    (event,) = here.stream.taken
    assert event.user_id.startswith("c_")
    assert event.source == "web"
    assert event.received_ts == NOW_MS


def test_a_bad_row_is_refused_alone() -> None:
    """The others are stored, and the answer keeps the order."""
    here = world()
    rows = [GOOD, {**GOOD, "event_id": "e2", "user_id": "null"}, {**GOOD, "event_id": "e3"}]
    answer = post(here, rows)
    assert answer.status_code == 202
    assert [row["status"] for row in answer.json["rows"]] == ["accepted", "rejected", "accepted"]
    assert answer.json["rows"][1]["code"] == "invalid_id"
    assert answer.json["rows"][1]["field"] == "user_id"
    assert len(here.stream.taken) == 2


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"event_type": "teleport"}, "unknown_event_type", "event_type"),
        ({"event_type": None}, "unknown_event_type", "event_type"),
        ({"item_id": None}, "missing_field", "item_id"),
        ({"user_id": None}, "missing_field", "user_id"),
        ({"event_time": None}, "missing_field", "event_time"),
        ({"event_time": 1760000000}, "invalid_time", "event_time"),
        ({"event_time": "2025-10-09T08:00:00"}, "time_without_zone", "event_time"),
        ({"event_time": "2025-02-30T08:00:00Z"}, "invalid_time", "event_time"),
        ({"user_id": "null"}, "invalid_id", "user_id"),
        ({"user_id": "[object Object]"}, "invalid_id", "user_id"),
        ({"user_id": 17}, "invalid_type", "user_id"),
        ({"item_id": "x" * 256}, "id_too_long", "item_id"),
        ({"price_minor": -1, "currency": "CNY"}, "invalid_money", "price_minor"),
        ({"price_minor": 5}, "invalid_money", "currency"),
        ({"quantity": 0}, "invalid_type", "quantity"),
    ],
)
def test_each_fault_has_its_code_and_field(change: dict[str, Any], code: str, field: str) -> None:
    """C3, A13: a clear 422 with the row, never a silent 200."""
    here = world()
    answer = post(here, {**GOOD, **change})
    assert answer.status_code == 422
    row = answer.json["rows"][0]
    assert (row["status"], row["code"]) == ("rejected", code)
    assert row["field"] == field
    assert answer.json["code"] == code
    assert here.stream.taken == []


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_number_that_is_none_spoils_its_row_only(number: bytes) -> None:
    """NaN is no JSON, but the good row beside it is not lost."""
    bad = orjson.dumps({**GOOD, "event_id": "e2"})[:-1] + b',"value":' + number + b"}"
    here = world()
    answer = post(here, b"[" + orjson.dumps(GOOD) + b"," + bad + b"]")
    assert answer.status_code == 202
    assert [row["status"] for row in answer.json["rows"]] == ["accepted", "rejected"]
    assert post(world(), bad).status_code == 422


@pytest.mark.parametrize("body", [b"", b"   ", b"{", b"[]", b"5", b'"x"', b"null", b"[" * 99_999])
def test_a_body_without_a_row_is_400(body: bytes) -> None:
    """A13: never a 200 with nothing stored."""
    answer = post(world(), body)
    assert answer.status_code == 400
    assert set(answer.json) == {"code", "message", "field", "request_id"}


@pytest.mark.parametrize("rows", [[None, None], [1, "x", []], [{}], [{"event_id": {}}]])
def test_rows_that_are_no_events_are_422_one_by_one(rows: list[Any]) -> None:
    """A13: each with its reason."""
    answer = post(world(), rows)
    assert answer.status_code == 422
    assert [row["status"] for row in answer.json["rows"]] == ["rejected"] * len(rows)
    assert all(row["code"] for row in answer.json["rows"])


def test_too_many_rows_or_bytes_are_413() -> None:
    """A13: 501 rows, or more than a mebibyte, before anything is looked at."""
    assert post(world(), [GOOD] * 501).json["code"] == "too_many_rows"
    answer = post(world(), b"[" + b" " * 1024 * 1024 + b"]")
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_a_row_that_is_too_large_is_refused_alone() -> None:
    """A13: over 64 KiB a row."""
    large = {**GOOD, "event_id": "e2", "attributes": {"x": "y" * 70_000}}
    answer = post(world(), [GOOD, large])
    assert answer.status_code == 202
    assert answer.json["rows"][1]["code"] == "row_too_large"
    assert post(world(), large).status_code == 413


def test_gzip_is_taken_and_a_bomb_is_not() -> None:
    """A13: the limit counts after unpacking, and memory stays flat."""
    packed = gzip.compress(orjson.dumps(GOOD))
    assert post(world(), packed, **{"Content-Encoding": "gzip"}).status_code == 202
    bomb = gzip.compress(b" " * 50_000_000)
    assert post(world(), bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert post(world(), b"plain", **{"Content-Encoding": "gzip"}).status_code == 400
    assert post(world(), packed[:-9], **{"Content-Encoding": "gzip"}).status_code == 400
    assert post(world(), b"{}", **{"Content-Encoding": "br"}).status_code == 400


def test_one_object_a_line_is_taken_too() -> None:
    """NDJSON; a line that is no JSON is refused alone."""
    body = orjson.dumps(GOOD) + b"\nnonsense\r\n\n" + orjson.dumps({**GOOD, "event_id": "e2"})
    answer = post(world(), body, **{"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 202
    assert [row["status"] for row in answer.json["rows"]] == ["accepted", "rejected", "accepted"]


def test_the_same_event_twice_in_a_request_is_told() -> None:
    """A3: the second copy is a duplicate; other content under the id is a conflict."""
    here = world()
    answer = post(here, [GOOD, GOOD, {**GOOD, "item_id": "SKU-2"}])
    statuses = [row["status"] for row in answer.json["rows"]]
    assert statuses == ["accepted", "duplicate", "conflict"]
    assert len(here.stream.taken) == 1


def test_nothing_is_promised_while_the_stream_is_away() -> None:
    """503 with a time to wait: a 202 always means on disk."""
    here = world()
    here.stream.is_away = True
    answer = post(here, GOOD)
    assert (answer.status_code, answer.json["code"]) == (503, "stream_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_the_graph_is_not_needed_to_take_events() -> None:
    """Events go on while the graph is away."""
    here = world()
    here.graph.is_away = True
    assert post(here, GOOD).status_code == 202


def test_rows_are_counted_by_what_became_of_them() -> None:
    """Operators see refusals."""
    here = world()
    post(here, [GOOD, {}])
    shown = here.client.get("/metrics").text
    assert 'shopgraph_events_total{status="accepted"} 1.0' in shown
    assert 'shopgraph_events_total{status="rejected"} 1.0' in shown


def test_half_a_surrogate_pair_is_refused_and_the_answer_stays_valid() -> None:
    """Text that has no UTF-8 form never breaks the answer."""
    raw = orjson.dumps(GOOD).replace(b'"e1"', b'"\\ud800"')
    answer = world().client.post("/v1/events", data=raw, headers=SERVER)
    assert answer.status_code == 422
    assert orjson.loads(answer.data)["rows"][0]["status"] == "rejected"


def envelope(**changes: Any) -> dict[str, Any]:
    """What a tracker posts, changed; ``...`` takes a field away."""
    made = {"key": "browser-secret", "sent_at": "2025-10-09T08:00:01Z", "events": [GOOD]} | changes
    return {name: value for name, value in made.items() if value is not ...}


def beacon(here: World, body: Any, **headers: str) -> Any:
    return here.client.post(
        "/v1/events",
        data=orjson.dumps(body),
        headers={"Origin": ORIGIN, "Content-Type": "text/plain;charset=UTF-8", **headers},
    )


def test_l2_a_beacon_of_plain_text_holds_its_key_in_the_body() -> None:
    """A page that is left can send no header; its send time is that of all rows without one."""
    here = world()
    answer = beacon(here, envelope(dropped=3))
    assert (answer.status_code, answer.json["dropped"]) == (202, 3)
    assert here.stream.taken[0].sent_ts == 1_759_996_801_000
    assert "shopgraph_tracker_dropped_total 3.0" in here.client.get("/metrics").text


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"key": ...}, 401, "key_missing"),
        ({"key": 7}, 401, "key_missing"),
        ({"key": "wrong"}, 401, "key_wrong"),
        ({"events": {}}, 401, "key_missing"),
        ({"dropped": -1}, 401, "key_missing"),
    ],
)
def test_a_beacon_that_cannot_be_read_has_no_key(
    changes: dict[str, Any], status: int, code: str
) -> None:
    """And the key is nowhere in the answer."""
    answer = beacon(world(), envelope(**changes))
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert "browser-secret" not in answer.text


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"events": {}}, 422), ({"events": []}, 400), ({"dropped": -1}, 422), ({"dropped": "x"}, 422)],
)
def test_a_bad_envelope_is_refused_as_a_whole(changes: dict[str, Any], status: int) -> None:
    """With a key in the header, so that its fault is seen."""
    assert post(world(), envelope(**changes)).status_code == status


def test_a_key_in_the_body_does_not_outdo_the_one_in_the_header() -> None:
    """The header counts."""
    answer = beacon(world(), envelope(key="admin-secret"), **{"X-API-Key": "wrong"})
    assert answer.status_code == 401


def test_g8_a_browser_key_counts_only_from_a_listed_page() -> None:
    """Without an origin it is no browser that asks."""
    here = world()
    answer = here.client.post("/v1/events", json=GOOD, headers={"X-API-Key": "browser-secret"})
    assert (answer.status_code, answer.json["code"]) == (403, "origin_refused")


def test_a_key_that_sent_enough_is_told_when_to_come_again() -> None:
    """429, and nothing was stored."""
    here = world()
    here.stream.quota_s = 17
    answer = post(here, GOOD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "17")
    assert answer.json["code"] == "quota_exceeded"
    assert "shopgraph_quotas_exceeded_total 1.0" in here.client.get("/metrics").text


@pytest.mark.parametrize(
    "agent", ["Googlebot/2.1 (+http://www.google.com/bot.html)", "HeadlessChrome/140.0", ""]
)
def test_events_of_programs_are_stored_with_a_flag_and_counted(agent: str) -> None:
    """Flagged, not deleted; the answer says so."""
    here = world()
    answer = post(here, GOOD, **{"User-Agent": agent})
    assert answer.json["rows"][0]["flags"] == ["bot"]
    assert here.stream.taken[0].flags == ("bot",)
    assert 'shopgraph_events_flagged_total{flag="bot"} 1.0' in here.client.get("/metrics").text


def test_a_server_may_say_whose_browser_it_was() -> None:
    """Its own user agent is that of a program, and says nothing of the shopper."""
    here = world()
    post(here, GOOD, **SERVER, **{"User-Agent": "python-requests/2"})
    told = {**GOOD, "event_id": "e2", "context": {"user_agent": "bingbot/2.0", "page": "/p"}}
    post(here, told, **SERVER)
    driven = {**GOOD, "event_id": "e3", "context": {"automated": True}}
    post(here, driven, **SERVER)
    assert [event.flags for event in here.stream.taken] == [(), ("bot",), ("bot",)]
    assert "bingbot" not in repr(here.stream.taken[1]), "used for the check, never stored"


def test_a13_a_gzip_bomb_is_stopped_early_and_members_are_joined() -> None:
    """Counted after unpacking, over all members."""
    here = world()
    two = gzip.compress(b"[" + orjson.dumps(GOOD) + b",") + gzip.compress(
        orjson.dumps({**GOOD, "event_id": "e2"}) + b"]"
    )
    assert post(here, two, **{"Content-Encoding": "gzip"}).json["accepted"] == 2
    bomb = gzip.compress(b" " * 600_000) * 40
    assert post(here, bomb, **{"Content-Encoding": "gzip"}).status_code == 413


@pytest.mark.parametrize(
    ("dropped", "counted"), [(7, 7), ("x", None), (-1, None), (True, None), (1.5, None), ([], None)]
)
def test_drops_told_with_an_event_are_counted_and_nonsense_is_not(
    dropped: object, counted: int | None
) -> None:
    """Also when the event itself is refused, since the tracker will not tell it again."""
    here = world()
    assert post(here, {**GOOD, "dropped": dropped}).json.get("dropped") == counted
    assert (
        post(here, {**GOOD, "user_id": "null", "dropped": dropped}).json.get("dropped") == counted
    )

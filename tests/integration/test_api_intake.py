"""What comes in through the real API, good and bad, and how it looks on the way back."""

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from neo4j import ManagedTransaction

from graph import counts
from graph.client import Graph
from tests.factories import ADMIN, BROWSER, SERVER

Drain = Callable[[], object]

IDS = (
    "SKU-1",
    "sku-1",
    "sku 1",
    "sku-1 ",
    "\uff33\uff2b\uff35-1",
    "\u00e9",
    "e\u0301",
    "颜色/红",
    "a/b",
    "a?b#c",
    "..",
    "🛒",
    "\u200fabc",
    "x" * 255,
)
GARBAGE = ("null", "undefined", "None", "NaN", "0", "[object Object]", "", " ")


def row(event_id: str, **told: Any) -> dict[str, Any]:
    """A view of just now."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    return {"event_id": event_id, "event_type": "view", "event_time": at, **told}


def post(client: FlaskClient, rows: Any) -> Any:
    return client.post("/v1/events", json=rows, headers=SERVER)


def edges(tx: ManagedTransaction) -> list[dict[str, Any]]:
    """All views, with both ends."""
    return [
        {**record["r"], "user_id": record["user_id"], "item_id": record["item_id"]}
        for record in tx.run(
            """
            MATCH (u:User)-[r:VIEWED]->(i:Item)
            RETURN properties(r) AS r, u.user_id AS user_id, i.item_id AS item_id
            """
        )
    ]


def test_a3_a_batch_with_repeats_and_one_newcomer_makes_one_of_each(
    client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """One event id twice, one new user and one new item in five rows."""
    rows = [row(f"e-{number}", user_id="new", item_id="new") for number in range(5)]
    told = post(client, [*rows, rows[0]]).json
    assert [one["status"] for one in told["rows"]] == ["accepted"] * 5 + ["duplicate"]
    drain()
    stored = graph.read(counts.counts)
    assert (stored.nodes["User"], stored.nodes["Item"]) == (1, 1)
    assert stored.relationships["VIEWED"] == 5


def test_a8_a_time_of_receipt_in_the_body_is_ignored(
    client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """The server's own clock counts."""
    before = int(time.time() * 1000)
    told = post(client, row("e-1", user_id="u", item_id="i", received_at="2001-01-01T00:00:00Z"))
    assert told.status_code == 202
    drain()
    (edge,) = graph.read(edges)
    assert before <= edge["received_ts"] <= int(time.time() * 1000)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[null, null]", 422),
        (b'[1, "x", []]', 422),
        (b'{"event_id": "e", "event_type": "teleport"}', 422),
        (b'{"event_id": "e", "attributes": "' + b"y" * 5_000_000 + b'"}', 413),
        (gzip.compress(b" " * 50_000_000), 413),
        (gzip.compress(b" " * 900_000) * 50, 413),
    ],
    ids=["empty", "nulls", "types", "type", "5 MB", "bomb", "members"],
)
def test_a13_what_cannot_be_taken_is_said_so(
    client: FlaskClient, drain: Drain, graph: Graph, body: bytes, status: int
) -> None:
    """With the one error body, and a reason for each row that could be read."""
    packed = {"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}
    answer = client.post("/v1/events", data=body, headers={**SERVER, **packed})
    assert answer.status_code == status
    assert answer.json["code"]
    assert all(one["code"] for one in answer.json.get("rows", ()))
    drain()
    assert graph.read(edges) == []


def test_c1_ids_are_exact_on_the_way_back_and_reachable_on_every_route(
    client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """Fourteen ids, as people and as items, all distinct."""
    assert post(client, [row(one, user_id=one, item_id=one) for one in IDS]).json["accepted"] == 14
    drain()
    assert {edge["item_id"] for edge in graph.read(edges)} == set(IDS)
    assert len({edge["user_id"] for edge in graph.read(edges)}) == 14
    items = [{"item_id": one, "title": "thing"} for one in IDS]
    assert client.post("/v1/items", json=items, headers=SERVER).json["stored"] == 14
    for one in IDS:
        _reach(client, one)
    for left, one in enumerate(IDS, start=1):
        gone = client.delete("/v1/items", query_string={"item_id": one}, headers=SERVER).json
        assert gone == {"item_id": one, "deleted": True}
        shown = client.get("/v1/recommendations?user_id=guest-1&limit=100", headers=SERVER).json
        assert {item["item_id"] for item in shown["items"]} == set(IDS[left:])


def _reach(client: FlaskClient, one: str) -> None:
    """Every call that takes an id says it back as it was sent."""
    who, limit = {"user_id": one}, {"limit": 100}
    asked = client.get("/v1/recommendations", query_string=who | limit, headers=SERVER).json
    assert asked["user_id"] == one
    assert {item["item_id"] for item in asked["items"]} == set(IDS)
    told = client.post("/v1/recommendations", json=who | {"exclude": [one]}, headers=SERVER).json
    assert one not in {item["item_id"] for item in told["items"]}
    near = client.get("/v1/similar-items", query_string={"item_id": one}, headers=SERVER).json
    assert near["item_id"] == one
    pair = {"pairs": [{"user_id": one, "item_id": one}]}
    (judged,) = client.post("/v1/intent", json=pair, headers=SERVER).json["items"]
    assert (judged["user_id"], judged["item_id"]) == (one, one)
    stored = client.put("/v1/consent", json=who | {"marketing": "granted"}, headers=ADMIN).json
    assert stored["user_id"] == one
    said = client.get("/v1/consent", query_string=who, headers=ADMIN).json
    assert (said["user_id"], set(said["consent"])) == (one, {"marketing"})
    flags = who | {"is_staff": False}
    assert client.put("/v1/people", json=flags, headers=ADMIN).json["staff"] == 0
    rate = client.get("/v1/click-through", query_string={"recommendation_id": one}, headers=SERVER)
    assert rate.json == {"answers": []}


@pytest.mark.parametrize("user_id", GARBAGE)
def test_c3_ids_that_mean_nobody_are_refused(client: FlaskClient, user_id: str) -> None:
    """On every call that takes a person; never one giant user."""
    answer = post(client, row("e-1", user_id=user_id, item_id="i"))
    assert (answer.status_code, answer.json["code"], answer.json["field"]) == (
        422, "invalid_id", "user_id",
    )  # fmt: skip
    who = {"user_id": user_id}
    calls = [
        client.get("/v1/recommendations", query_string=who, headers=SERVER),
        client.post("/v1/intent", json={"pairs": [{**who, "item_id": "i"}]}, headers=SERVER),
        client.put("/v1/consent", json={**who, "marketing": "denied"}, headers=ADMIN),
        client.get("/v1/consent", query_string=who, headers=ADMIN),
        client.put("/v1/people", json={**who, "is_bot": True}, headers=ADMIN),
    ]
    assert [(one.status_code, one.json["code"]) for one in calls] == [(422, "invalid_id")] * 5


def test_c3_null_is_absent_and_the_visitor_is_meant(
    client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """Anonymous if there is a visitor id, else refused."""
    told = post(
        client,
        [
            row("e-1", user_id=None, anonymous_id="v", item_id="i"),
            row("e-2", user_id=None, item_id="i"),
        ],
    ).json["rows"]
    assert [one.get("code") for one in told] == [None, "missing_field"]
    drain()
    (edge,) = graph.read(edges)
    assert edge["user_id"].startswith("v_")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"categories": None}, None),
        ({"categories": []}, None),
        ({"categories": ""}, "invalid_type"),
        ({"categories": [None]}, "invalid_type"),
        ({}, None),
        ({"price_minor": None}, None),
        ({"price_minor": "", "currency": "CNY"}, "invalid_money"),
        ({"price_minor": 0, "currency": "CNY"}, None),
        ({"price_minor": -1, "currency": "CNY"}, "invalid_money"),
        ({"price_minor": float("nan"), "currency": "CNY"}, "invalid_money"),
        ({"price_minor": "¥12.5", "currency": "CNY"}, "invalid_money"),
    ],
)
def test_c5_an_item_with_odd_fields_is_refused_by_rule_or_can_be_served(
    client: FlaskClient, drain: Drain, change: dict[str, Any], code: str | None
) -> None:
    """Without a title, too."""
    body = json.dumps([{"item_id": "odd", **change}])
    answer = client.post("/v1/items", data=body, headers=SERVER)
    assert answer.json["rows"][0].get("code") == code
    post(client, row("e-1", user_id="u", item_id="odd"))
    drain()
    shown = client.get("/v1/popular-items", headers=SERVER)
    assert [item["item_id"] for item in shown.json["items"]] == ["odd"]


def test_c6_attributes_of_mixed_kinds_come_back_as_sent(
    client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """A list of whole and broken numbers, text, nothing and truth."""
    mixed = {"list": [1, 2.5, "3", None, True], "deep": {"a": [[], {}]}}
    assert post(client, row("e-1", user_id="u", item_id="i", attributes=mixed)).status_code == 202
    drain()
    (edge,) = graph.read(edges)
    assert orjson.loads(edge["attributes"]) == mixed


def letters(client: FlaskClient, **query: Any) -> dict[str, Any]:
    answer = client.get("/v1/dead-letters", query_string=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json
    return told


def test_a_refused_row_is_listed_mended_and_sent_again(
    client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """With its reason and without a raw id; a second replay finds nothing."""
    post(client, row("e-1", user_id="ann@shop", item_id="i", quantity=0))
    told = letters(client)
    (letter,) = told["letters"]
    assert (told["depth"], letter["reason"], letter["stage"]) == (1, "invalid_type", "door")
    assert "ann@shop" not in json.dumps(told)
    assert letters(client, letter_id=letter["letter_id"])["letters"] == [letter]
    chosen = {"letter_ids": [letter["letter_id"]]}
    again = client.post("/v1/dead-letters/replay", json=chosen, headers=ADMIN).json
    assert (again["taken"], again["outcomes"][0]["reason"]) == (0, "invalid_type")
    mended = {"letter_id": letter["letter_id"], "payload": {**letter["payload"], "quantity": 1}}
    saved = client.put("/v1/dead-letters", json=mended, headers=ADMIN)
    assert (saved.status_code, saved.json["is_edited"]) == (200, True)
    again = client.post("/v1/dead-letters/replay", json=chosen, headers=ADMIN).json
    assert again["taken"] == 1
    assert letters(client)["letters"] == []
    gone = client.post("/v1/dead-letters/replay", json=chosen, headers=ADMIN)
    assert (gone.status_code, gone.json["code"]) == (404, "unknown_dead_letter")
    drain()
    (edge,) = graph.read(edges)
    assert edge["event_id"] == "shop|e-1"


def test_dead_letters_come_in_pages_by_reason_and_go_for_good(client: FlaskClient) -> None:
    """Newest first; a second delete says the same."""
    post(client, [row(f"e-{number}", user_id="u", event_type="stare") for number in range(5)])
    post(client, row("e-9", user_id="u"))
    first = letters(client, limit=2, reason="unknown_event_type")
    second = letters(client, limit=4, reason="unknown_event_type", cursor=first["next"])
    assert (len(first["letters"]), len(second["letters"]), second["next"]) == (2, 3, None)
    assert letters(client, reason="missing_field")["depth"] == 6
    gone = {"letter_id": first["letters"][0]["letter_id"]}
    for _ in range(2):
        assert client.delete("/v1/dead-letters", query_string=gone, headers=ADMIN).json == gone
    assert letters(client)["depth"] == 5
    missing = client.get("/v1/dead-letters", query_string=gone, headers=ADMIN)
    assert missing.status_code == 404


@pytest.mark.parametrize("letter_id", ["x", "0-0", "1-1-1", "-", "+", "9" * 30])
def test_an_unknown_letter_is_404_on_every_call(client: FlaskClient, letter_id: str) -> None:
    """Also where it is no id at all; only taking it away has nothing to say."""
    one = {"letter_id": letter_id}
    calls = [
        client.get("/v1/dead-letters", query_string=one, headers=ADMIN),
        client.put("/v1/dead-letters", json={**one, "payload": {}}, headers=ADMIN),
        client.post("/v1/dead-letters/replay", json={"letter_ids": [letter_id]}, headers=ADMIN),
    ]
    assert [call.status_code for call in calls] == [404] * 3


def test_g8_the_keys_are_in_no_log(client: FlaskClient, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever call fails, and where a beacon holds its key in the body."""
    beacon = {"key": "browser-secret", "events": [row("e-1", user_id="u", item_id="i")]}
    origin = {"Origin": BROWSER["Origin"]}
    assert client.post("/v1/events", json=beacon, headers=origin).status_code == 202
    client.post("/v1/events", data=b"{", headers={"X-API-Key": "wrong-secret"})
    client.get("/v1/models", headers=BROWSER)
    client.get("/v1/popular-items", headers=SERVER)
    out, err = capfd.readouterr()
    assert "secret" not in out + err

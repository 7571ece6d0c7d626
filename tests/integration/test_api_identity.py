"""Who somebody is, what they allow, and what they are: felt by the next answer of the real API."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.people import pseudonym, shopper
from backend.wiring import parts
from graph import counts
from graph.client import Graph
from graph.errors import GraphUnavailable
from tests.factories import ADMIN, BROWSER, SERVER

Drain = Callable[[], object]


def row(event_id: str, kind: str, *, ago_s: float = 60, **told: Any) -> dict[str, Any]:
    """An event of a moment ago."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago_s))
    return {"event_id": event_id, "event_type": kind, "event_time": at, **told}


def send(client: FlaskClient, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """What became of the rows, by a server's key."""
    answer = client.post("/v1/events", json=list(rows), headers=SERVER)
    assert answer.status_code in (202, 422), answer.text
    told: list[dict[str, Any]] = answer.json["rows"]
    return told


def history(app: Flask, **who: str) -> set[str]:
    """The items that an answer to this person would be made from."""
    with app.app_context():
        person = pseudonym(user_id=who.get("user_id"), anonymous_id=who.get("anonymous_id"))
        known = shopper(person, None, now_ms=time.time_ns() // 1_000_000)
    return {event.item_id for event in known.history}


def test_right_after_a_login_the_past_of_the_visitor_is_known(
    app: Flask, client: FlaskClient, drain: Drain
) -> None:
    """On both sides, also where a list was held already; and of what follows."""
    send(
        client,
        row("v-1", "view", anonymous_id="phone", item_id="boots"),
        row("u-1", "view", user_id="ann", item_id="gloves"),
    )
    drain()
    assert history(app, user_id="ann") == {"gloves"}
    assert history(app, anonymous_id="phone") == {"boots"}
    send(client, row("i-1", "identify", user_id="ann", anonymous_id="phone"))
    drain()
    assert history(app, user_id="ann") == {"boots", "gloves"}
    send(client, row("v-2", "view", anonymous_id="phone", item_id="scarf", ago_s=5))
    drain()
    assert history(app, user_id="ann") == {"boots", "gloves", "scarf"}


def test_several_devices_are_one_person_and_a_shared_one_is_not_two(
    app: Flask, client: FlaskClient, drain: Drain
) -> None:
    """A second login on the family's tablet gives nobody the past of somebody else."""
    send(
        client,
        row("p-1", "view", anonymous_id="phone", item_id="boots"),
        row("t-1", "view", anonymous_id="tablet", item_id="toys"),
        row("i-1", "identify", user_id="ann", anonymous_id="phone", ago_s=50),
        row("i-2", "identify", user_id="ann", anonymous_id="tablet", ago_s=40),
        row("i-3", "identify", user_id="bob", anonymous_id="tablet", ago_s=30),
        row("b-1", "view", user_id="bob", item_id="razor", ago_s=20),
    )
    drain()
    assert history(app, user_id="ann") == {"boots", "toys"}
    assert history(app, user_id="bob") == {"razor"}


def test_what_is_known_of_a_login_leads_the_list(
    client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """Without a model nothing is personal, yet the reasons know the way over the visitor."""
    send(
        client,
        row("v-1", "view", anonymous_id="phone", item_id="boots"),
        row("i-1", "identify", user_id="ann", anonymous_id="phone"),
    )
    drain()
    answer = client.get("/v1/recommendations?user_id=ann", headers=SERVER).json
    assert [item["reason"]["path"] for item in answer["items"]] == [["you", "VIEWED", "boots"]]


def put_consent(client: FlaskClient, **told: str) -> None:
    answer = client.put("/v1/consent", json=told, headers=ADMIN)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("way", ["api", "event"])
def test_a_withdrawal_acts_on_the_next_request_everywhere(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph, way: str
) -> None:
    """No list of one's own, before the worker has seen it; nor while the graph is away."""
    send(client, row("u-1", "view", user_id="ann", item_id="boots"))
    drain()
    assert history(app, user_id="ann") == {"boots"}
    if way == "api":
        put_consent(client, user_id="ann", personalisation="denied")
    else:
        no = {"collection": "granted", "personalisation": "denied"}
        send(client, row("u-2", "view", user_id="ann", item_id="boots", consent=no))
    assert history(app, user_id="ann") == set()
    drain()
    assert history(app, user_id="ann") == set()
    put_consent(client, user_id="ann", personalisation="granted")
    assert history(app, user_id="ann") == {"boots"}


def test_a_withdrawal_counts_while_the_graph_is_away(
    app: Flask, client: FlaskClient, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list that is held in Valkey is not used."""
    send(client, row("u-1", "view", user_id="ann", item_id="boots"))
    drain()
    assert history(app, user_id="ann") == {"boots"}
    put_consent(client, user_id="ann", personalisation="denied")

    def away(*_: Any, **__: Any) -> None:
        raise GraphUnavailable("away")

    with app.app_context():
        monkeypatch.setattr(parts().graph, "read", away)
    assert history(app, user_id="ann") == set()
    assert client.get("/v1/recommendations?user_id=ann", headers=SERVER).status_code == 200


def test_without_collection_consent_nothing_more_is_stored(
    client: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """Of the customer, nor of the visitor they were; until they say yes again."""
    send(
        client,
        row("v-1", "view", anonymous_id="phone", item_id="boots"),
        row("i-1", "identify", user_id="ann", anonymous_id="phone"),
    )
    drain()
    put_consent(client, user_id="ann", collection="denied")
    told = send(
        client,
        row("u-1", "view", user_id="ann", item_id="boots"),
        row("v-2", "view", anonymous_id="phone", item_id="boots"),
        row("w-1", "view", user_id="bob", item_id="boots"),
    )
    assert [one.get("code") for one in told] == ["no_consent", "no_consent", None]
    drain()
    assert graph.read(counts.counts).relationships["VIEWED"] == 2
    put_consent(client, user_id="ann", collection="granted")
    assert send(client, row("u-3", "view", user_id="ann", item_id="boots"))[0]["status"] == (
        "accepted"
    )


def test_consent_is_told_with_its_time_and_source(client: FlaskClient, drain: Drain) -> None:
    """By purpose; each knows who said it and when."""
    yes = {"collection": "granted", "marketing": "denied"}
    send(client, row("u-1", "view", user_id="ann", item_id="boots", consent=yes))
    drain()
    put_consent(client, user_id="ann", marketing="granted")
    said = client.get("/v1/consent?user_id=ann", headers=ADMIN).json["consent"]
    assert {purpose: (one["state"], one["source"]) for purpose, one in said.items()} == {
        "collection": ("granted", "shop"),
        "marketing": ("granted", "api"),
    }
    assert said["marketing"]["at"] > said["collection"]["at"]
    assert client.get("/v1/consent?user_id=stranger", headers=ADMIN).json["consent"] == {}


def test_staff_and_bots_make_nothing_popular(client: FlaskClient, drain: Drain) -> None:
    """Their events stay; the lists of everybody leave them out, and the answer counts them."""
    robot = {**row("r-1", "view", anonymous_id="crawler", item_id="trap")}
    client.post("/v1/events", json=robot, headers={**BROWSER, "User-Agent": "Googlebot/2.1"})
    send(
        client,
        row("s-1", "view", user_id="clerk", item_id="test-item"),
        row("a-1", "view", user_id="ann", item_id="boots"),
    )
    drain()
    told = client.put("/v1/people", json={"user_id": "clerk", "is_staff": True}, headers=ADMIN)
    assert told.json == {"bots": 1, "staff": 1}
    popular = client.get("/v1/popular-items", headers=SERVER).json
    assert [item["item_id"] for item in popular["items"]] == ["boots"]


def test_click_through_is_counted_per_answer(client: FlaskClient, drain: Drain) -> None:
    """Lists shown, places, clicks and where they fell."""
    shown = [{"item_id": "boots", "position": 1}, {"item_id": "gloves", "position": 2}]
    mark = {"user_id": "ann", "recommendation_id": "r-7"}
    send(
        client,
        row("s-1", "impression", **mark, impression=shown),
        row("c-1", "click", **mark, item_id="gloves", position=2),
        row("c-2", "click", user_id="bob", item_id="gloves", recommendation_id="r-8"),
    )
    drain()
    for query in ("recommendation_id=r-7", "limit=5", "since=2020-01-01T00:00:00Z"):
        (one,) = client.get(f"/v1/click-through?{query}", headers=SERVER).json["answers"]
        assert one == {
            "recommendation_id": "r-7", "shown": 1, "places": 2, "clicks": 1, "clicked_items": 1,
            "rate": 0.5, "clicks_by_position": {"2": 1},
        }  # fmt: skip
    past = client.get("/v1/click-through?until=2020-01-01T00:00:00Z", headers=SERVER).json
    assert past == {"answers": []}

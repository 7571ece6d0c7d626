"""The API on a real graph, a real stream and a model that was trained on them."""

import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend import wsgi
from backend.wiring import parts
from graph import counts, models, training_runs
from graph.client import Graph
from graph.domain.ids import RunId
from graph.domain.models import RunState, TrainingRun
from tests import shop
from tests.factories import ADMIN, SERVER
from workers.intake.changes import CatalogueChanges
from workers.leases import now_ms
from workers.refresh import refresh
from workers.settings import JobSettings
from workers.stages import Place
from workers.training import attempt

LISTS = (
    "/v1/recommendations?anonymous_id=visitor-7&limit=100",
    "/v1/recommendations?user_id=u-1&limit=100",
    "/v1/popular-items?limit=100",
    "/v1/similar-items?item_id=item-2&limit=100",
)


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> JobSettings:
    """A model store of the test's own."""
    return JobSettings(redis_url=redis_url, model_store=tmp_path / "models", lease_ttl_s=5)


def train(graph: Graph, settings: JobSettings) -> None:
    """Put the small shop into the graph, and a model of it behind the pointer."""
    shop.fill(graph, shop.checkerboard())
    run = TrainingRun(
        run_id=RunId("t-1"),
        state=RunState.QUEUED,
        profile="paper",
        stage="queued",
        progress=0.0,
        requested_at=now_ms(),
        options=shop.SMALL,
    )
    graph.write(training_runs.request, run, stale_before_ms=0)
    attempt(graph, settings, run.run_id, owner="tests")


def wait_for_model(client: FlaskClient) -> None:
    """The API looks at the pointer every two seconds."""
    until = time.monotonic() + 20
    while not client.get("/readyz").json["checks"]["model"]["ok"]:
        assert time.monotonic() < until
        time.sleep(0.1)


def rows(who: dict[str, str], *steps: tuple[str, str]) -> list[dict[str, str]]:
    """Events of one person, a second apart, just now."""
    began = time.time() - len(steps)
    return [
        {
            **who,
            "event_id": f"{next(iter(who.values()))}-{number}",
            "event_type": kind,
            "item_id": item_id,
            "event_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began + number)),
        }
        for number, (kind, item_id) in enumerate(steps)
    ]


def shown(client: FlaskClient, path: str) -> list[str]:
    """The ids of a list, in order."""
    answer = client.get(path, headers=SERVER)
    assert answer.status_code == 200, answer.text
    return [item["item_id"] for item in answer.json["items"]]


FIVE = (
    ("view", "item-2"),
    ("view", "item-4"),
    ("cart", "item-4"),
    ("view", "item-6"),
    ("favorite", "item-6"),
)


def test_five_events_move_a_visitor_from_popular_to_a_list_of_their_own(
    client: FlaskClient, graph: Graph, settings: JobSettings, drain: Any
) -> None:
    """Level and list change; each reason is a path over the visitor's own edges."""
    train(graph, settings)
    wait_for_model(client)
    ask = "/v1/recommendations?anonymous_id=visitor-7&limit=10"
    before = client.get(ask, headers=SERVER).json
    assert before["level"] == "popular"
    posted = client.post("/v1/events", json=rows({"anonymous_id": "visitor-7"}, *FIVE))
    assert posted.status_code == 401
    posted = client.post(
        "/v1/events", json=rows({"anonymous_id": "visitor-7"}, *FIVE), headers=SERVER
    )
    assert posted.status_code == 202
    assert posted.json["accepted"] == 5
    drain()
    after = client.get(ask, headers=SERVER).json
    assert after["level"] == "session"
    assert after["items"] != before["items"]
    paths = [row["reason"]["path"] for row in after["items"] if row["reason"]["path"]]
    assert paths
    assert all(path[0] == "you" and path[2] in {"item-2", "item-4", "item-6"} for path in paths)


def test_g1_a_hidden_item_is_gone_from_every_list_with_the_next_request(
    client: FlaskClient, graph: Graph, settings: JobSettings, drain: Any
) -> None:
    """Personal, session, popular and similar; and back again when it is shown."""
    train(graph, settings)
    wait_for_model(client)
    told = rows({"anonymous_id": "visitor-7"}, *FIVE) + rows({"user_id": "u-1"}, *FIVE)
    client.post("/v1/events", json=told, headers=SERVER)
    drain()
    refresh(graph, Place(settings.model_store, 5), CatalogueChanges(settings.broker_url))
    assert client.get(LISTS[1], headers=SERVER).json["level"] == "personal"
    seen = [shown(client, path) for path in LISTS]
    victim = next(item for item in seen[0] if all(item in each for each in seen))
    hide = {"item_id": victim, "is_hidden": True}
    assert client.post("/v1/items", json=hide, headers=SERVER).status_code == 200
    assert [victim in shown(client, path) for path in LISTS] == [False] * len(LISTS)
    client.post("/v1/items", json={**hide, "is_hidden": False}, headers=SERVER)
    assert [victim in shown(client, path) for path in LISTS] == [True] * len(LISTS)
    client.delete(f"/v1/items?item_id={victim}", headers=SERVER)
    assert [victim in shown(client, path) for path in LISTS] == [False] * len(LISTS)


def test_g1_an_item_hidden_through_one_process_is_gone_from_the_others_at_once(
    client: FlaskClient, graph: Graph, settings: JobSettings
) -> None:
    """Three processes with a memory each; kept answers are outdated with the change."""
    train(graph, settings)
    others = [wsgi.build(graph) for _ in range(2)]
    clients = [client, *(app.test_client() for app in others)]
    try:
        for one in clients:
            wait_for_model(one)
        path = "/v1/popular-items?limit=100"
        first = [shown(one, path) for one in clients]
        assert first[0] == first[1] == first[2]
        for turn, item_id in enumerate(first[0][:6]):
            hide = {"item_id": item_id, "is_hidden": True}
            assert clients[turn % 3].post("/v1/items", json=hide, headers=SERVER).status_code == 200
            assert [item_id in shown(one, path) for one in clients] == [False] * 3
    finally:
        for app in others:
            with app.app_context():
                parts().models.stop()


def test_bad_rows_are_named_and_the_good_ones_are_kept(
    client: FlaskClient, graph: Graph, drain: Any
) -> None:
    """One good row among five bad ones reaches the graph; every bad one has a code."""
    (good,) = rows({"user_id": "u-1"}, ("view", "item-1"))
    bad: list[Any] = [
        {**good, "event_id": "b-1", "event_type": "stare"},
        {**good, "event_id": "b-2", "user_id": "null"},
        {key: value for key, value in good.items() if key != "item_id"} | {"event_id": "b-3"},
        {**good, "event_id": "b-4", "event_time": "yesterday"},
        None,
    ]
    answer = client.post("/v1/events", json=[*bad[:3], good, *bad[3:]], headers=SERVER)
    assert answer.status_code == 202
    codes = [row.get("code") for row in answer.json["rows"]]
    assert codes[:3] == ["unknown_event_type", "invalid_id", "missing_field"]
    assert codes[3] is None
    assert all(codes[4:])
    drain()
    assert graph.read(counts.counts).relationships["VIEWED"] == 1


def test_nothing_but_popular_without_a_model_and_nothing_at_all_in_an_empty_shop(
    client: FlaskClient, graph: Graph, drain: Any
) -> None:
    """The level says what served; an empty list is an answer."""
    empty = client.get("/v1/recommendations?user_id=u-1", headers=SERVER)
    assert (empty.status_code, empty.json["level"], empty.json["items"]) == (200, "none", [])
    client.post("/v1/events", json=rows({"user_id": "u-2"}, *FIVE), headers=SERVER)
    drain()
    assert graph.read(models.live) is None
    found = client.get("/v1/recommendations?user_id=u-1", headers=SERVER).json
    assert found["level"] == "popular"
    assert {row["item_id"] for row in found["items"]} == {"item-2", "item-4", "item-6"}


def test_two_who_ask_for_training_at_once_get_one_run(client: FlaskClient, graph: Graph) -> None:
    """The same id for both, and one run in the graph."""
    first = client.post("/v1/training-runs", json={}, headers=ADMIN)
    second = client.post("/v1/training-runs", json={}, headers=ADMIN)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json["run_id"] == second.json["run_id"]
    assert len(graph.read(training_runs.latest, limit=10)) == 1


@pytest.mark.parametrize("limit", ["0", "-1", "1000000000", "x", ""])
def test_g4_a_limit_out_of_range_is_422(client: FlaskClient, limit: str) -> None:
    """Never an unbounded query."""
    answer = client.get(f"/v1/recommendations?user_id=u-1&limit={limit}", headers=SERVER)
    assert (answer.status_code, answer.json["field"]) == (422, "limit")

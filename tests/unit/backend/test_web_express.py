"""Kept lists go a short way, and nobody can tell it from the long one."""

from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from backend import express
from backend.express import Express
from graph.known_people import look_up
from tests.factories import ADMIN, BROWSER, SERVER, FakeModel, World, known, viewed, world

PATHS = (
    "/v1/recommendations?user_id=u-1",
    "/v1/recommendations?anonymous_id=a%2Fb&limit=2&exclude=x&exclude=y&surface=home",
    "/v1/similar-items?item_id=a",
    "/v1/popular-items?category=toys",
)
OF_THEIR_OWN = {"recommendation_id", "served_at"}


def shop() -> World:
    scores = {"a": 0.9, "b": 0.8, "c": 0.7}
    return world(FakeModel(scores), {look_up: known(viewed("a"), embedding=[0.1])})


def long_way(here: World) -> Client:
    assert isinstance(here.app.wsgi_app, Express)
    return Client(here.app.wsgi_app._whole)


def seen_by_flask(here: World) -> list[str]:
    """Paths of the requests that reach Flask from now on."""
    found: list[str] = []
    whole = here.app.wsgi_app._whole  # type: ignore[attr-defined]

    def watched(environ: Any, start: Any) -> Any:
        found.append(environ["PATH_INFO"])
        return whole(environ, start)

    here.app.wsgi_app._whole = watched  # type: ignore[attr-defined]
    return found


def without_own(answer: TestResponse) -> dict[str, Any]:
    told: dict[str, Any] = answer.get_json()
    return {name: value for name, value in told.items() if name not in OF_THEIR_OWN}


@pytest.mark.parametrize("path", PATHS)
def test_both_ways_give_the_same_answer_with_the_same_headers(path: str) -> None:
    here = shop()
    headers = {**SERVER, "X-Request-ID": "call-7"}
    first = long_way(here).get(path, headers=headers)
    passed = seen_by_flask(here)
    again = here.client.get(path, headers=headers)
    assert passed == []
    assert again.status == first.status == "200 OK"
    assert without_own(again) == without_own(first)
    assert sorted(again.headers) == sorted(first.headers)


def test_both_ways_are_counted_alike() -> None:
    here = shop()
    for _ in range(3):
        here.client.get(PATHS[0], headers=SERVER)
    page = here.client.get("/metrics").text
    counted = 'method="GET",route="/v1/recommendations"'
    assert f'shopgraph_requests_total{{{counted},status="200"}} 3.0' in page
    assert f"shopgraph_request_seconds_count{{{counted}}} 3.0" in page
    assert 'shopgraph_answers_kept_total{found="miss"} 1.0' in page
    assert 'shopgraph_answers_kept_total{found="hit"} 2.0' in page


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "wrong"}, 401),
        (BROWSER, 403),
        ({**SERVER, "Origin": "https://elsewhere.example"}, 403),
        (ADMIN, 200),
    ],
)
def test_a_kept_list_is_no_way_around_the_rules(headers: dict[str, str], status: int) -> None:
    here = shop()
    assert here.client.get(PATHS[0], headers=SERVER).status_code == 200
    assert here.client.get(PATHS[0], headers=headers).status_code == status


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("user_id=u-1&limit=0", 422),
        ("user_id=u-1&limit=2&limit=3", 422),
        ("user_id=u-1&odd=1", 422),
        ("user_id=%FF", 200),
    ],
)
def test_a_query_that_is_not_quite_ordinary_is_read_by_flask(query: str, status: int) -> None:
    here = shop()
    passed = seen_by_flask(here)
    for _ in range(2):
        answer = here.client.get(f"/v1/recommendations?{query}", headers=SERVER)
        assert answer.status_code == status
    assert passed == ["/v1/recommendations"] * 2


def test_an_id_in_raw_bytes_means_the_same_on_both_ways() -> None:
    """Some clients do not escape what is not ASCII."""
    here = shop()
    raw = {"QUERY_STRING": "anonymous_id=\u00e9".encode().decode("latin-1")}
    first, again = (
        here.client.get("/v1/recommendations", headers=SERVER, environ_overrides=raw)
        for _ in range(2)
    )
    assert first.json["anonymous_id"] == again.json["anonymous_id"] == "\u00e9"


def test_every_short_way_is_a_route_of_flask() -> None:
    rules = {rule.rule for rule in shop().app.url_map.iter_rules()}
    assert express.WAYS.keys() <= rules

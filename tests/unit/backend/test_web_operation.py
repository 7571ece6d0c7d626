"""Health, the document, the page, the guide, the environment."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from backend import exploration
from backend.settings import SettingsMissing, WebSettings, read
from graph import training_runs
from graph.domain.ids import RunId
from graph.domain.models import RunState, TrainingRun
from graph.errors import SchemaMissing
from tests.factories import NOW_MS, SERVER, FakeModel, world


def test_alive_needs_nothing() -> None:
    """The process runs, whatever is away."""
    here = world()
    here.graph.is_away = here.stream.is_away = True
    assert here.client.get("/healthz").json == {"status": "ok"}


def test_ready_says_of_what() -> None:
    """Graph, stream and model, each by itself."""
    told = world(FakeModel({"a": 1.0})).client.get("/readyz")
    assert told.status_code == 200
    assert told.json["checks"]["model"] == {"ok": True, "detail": "m-1"}


def test_ready_without_a_model_serves_what_is_popular() -> None:
    """A new shop is ready: without events there would never be a model."""
    told = world().client.get("/readyz")
    assert (told.status_code, told.json["ready"]) == (200, True)
    assert told.json["checks"]["model"]["ok"] is False


@pytest.mark.parametrize("away", ["graph", "stream"])
def test_not_ready_while_a_store_is_away(away: str) -> None:
    """503, and the body names it."""
    here = world()
    getattr(here, away).is_away = True
    told = here.client.get("/readyz")
    assert told.status_code == 503
    assert [name for name, one in told.json["checks"].items() if not one["ok"]] == [away, "model"]
    assert told.headers["Retry-After"]


def test_not_ready_while_the_graph_lacks_a_migration() -> None:
    """The graph was away at the start, and came back without its constraints."""

    def verify() -> None:
        raise SchemaMissing("migrations not applied: V0004")

    told = world(verify_schema=verify).client.get("/readyz")
    assert told.status_code == 503
    assert told.json["checks"]["graph"] == {"ok": False, "detail": "SchemaMissing"}


def test_the_document_describes_every_call() -> None:
    """OpenAPI 3.1 with the parameters, bodies and keys."""
    here = world()
    spec = here.client.get("/openapi.json").json
    assert spec["openapi"].startswith("3.1")
    routes = {
        re.sub(r"/$", "", rule.rule)
        for rule in here.app.url_map.iter_rules()
        if rule.rule.startswith("/v1")
    }
    assert routes <= set(spec["paths"])
    asked = spec["paths"]["/v1/recommendations"]["get"]
    names = {one["name"] for one in asked["parameters"]}
    assert names == {
        *("user_id", "anonymous_id", "surface", "limit", "next", "min_score", "explain"),
        *("category", "brand", "price_from", "price_to", "exclude", "exclude_behaviours"),
        *("max_per_category", "max_per_brand"),
    }
    assert asked["security"] == [{"key": []}]
    assert spec["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
    body = spec["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]
    assert "PurchaseIn" in spec["components"]["schemas"]
    assert body["schema"]["$ref"].endswith("EventsIn")


def test_every_reference_of_the_document_leads_somewhere() -> None:
    """A client can be generated from it."""
    answer = world().client.get("/openapi.json")
    schemas = answer.json["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', answer.text))
    assert named <= set(schemas)


def test_failing_answers_of_the_document_are_the_error_body() -> None:
    """Each call lists what it may answer when it fails."""
    spec = world().client.get("/openapi.json").json
    for path, calls in spec["paths"].items():
        for method, call in calls.items():
            if path.startswith("/v1"):
                assert {"401", "403", "503"} <= set(call["responses"]), (path, method)


def test_the_page_is_readable_and_loads_nothing_from_elsewhere() -> None:
    """No outside assets, no script."""
    answer = world().client.get("/docs")
    assert answer.status_code == 200
    assert "/v1/coupon-targets" in answer.text
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)
    assert "<script" not in answer.text


def test_calls_are_counted_by_route_and_never_by_what_was_asked() -> None:
    """A path or an id would be a label without end."""
    here = world()
    here.client.get("/v1/recommendations?user_id=u-17", headers=SERVER)
    here.client.get("/some/where/u-17")
    shown = here.client.get("/metrics").text
    assert 'route="/v1/recommendations",status="200"' in shown
    assert 'route="unknown",status="404"' in shown
    assert "u-17" not in shown


def test_operators_see_lag_age_and_training_and_which_store_is_away() -> None:
    """Looked up when the page is asked for; what cannot be said now keeps its last value."""
    run = TrainingRun(
        run_id=RunId("t-1"),
        state=RunState.RUNNING,
        profile="paper",
        stage="fit",
        progress=0.25,
        requested_at=0,
    )
    here = world(FakeModel({"a": 1.0}, as_of_ms=NOW_MS - 90_000))
    here.graph.answers[training_runs.latest] = [run]
    shown = here.client.get("/metrics").text
    assert "shopgraph_model_age_seconds 90.0" in shown
    assert 'shopgraph_training_progress{stage="fit"} 0.25' in shown
    assert "shopgraph_stream_waiting 0.0" in shown
    assert 'shopgraph_store_away{store="graph"} 0.0' in shown
    assert 'shopgraph_store_away{store="valkey"} 1.0' in shown, "these letters are nowhere"
    here.graph.answers[training_runs.latest] = [replace(run, stage="write", progress=0.9)]
    shown = here.client.get("/metrics").text
    assert 'shopgraph_training_progress{stage="fit"} 0.0' in shown
    here.graph.is_away = True
    shown = here.client.get("/metrics").text
    assert 'shopgraph_training_progress{stage="write"} 0.9' in shown
    assert 'shopgraph_store_away{store="graph"} 1.0' in shown


def test_lists_are_timed_by_the_level_that_served_them() -> None:
    """So that a slow or a poor level is seen."""
    here = world(FakeModel({"a": 1.0}))
    here.client.get("/v1/recommendations?user_id=u-17", headers=SERVER)
    here.client.get("/v1/similar-items?item_id=x&exclude=a", headers=SERVER)
    shown = here.client.get("/metrics").text
    counted = 'shopgraph_list_seconds_count{level="%s",route="/v1/%s"} 1.0'
    assert counted % ("popular", "recommendations") in shown
    assert counted % ("none", "similar-items") in shown


def test_the_guide_of_the_browser_may_be_read_from_its_origin(tmp_path: Path) -> None:
    """Files of one folder, and nothing beside it."""
    (tmp_path / "graph.grass").write_text("node {}")
    (tmp_path / ".secret").write_text("x")
    app = Flask(__name__)
    exploration.init_app(app, tmp_path)
    client = app.test_client()
    with client.get("/browser/graph.grass") as answer:
        assert answer.text == "node {}"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    asked_before = client.options("/browser/graph.grass")
    assert asked_before.status_code == 204
    assert asked_before.headers["Access-Control-Allow-Private-Network"] == "true"
    for name in (".secret", "missing", "..%2Fx", "%2e%2e/x"):
        assert client.get(f"/browser/{name}").status_code == 404


def test_the_whole_application_lets_neo4j_browser_ask_beforehand(tmp_path: Path) -> None:
    """The key and origin rules of the API do not stand in the way of the guide."""
    (tmp_path / "guide.md").write_text("# Tour")
    client = world(browser_files=tmp_path).client
    asked = {"Origin": "http://localhost:7474", "Access-Control-Request-Method": "GET"}
    answer = client.options("/browser/guide.md", headers=asked)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start stops with the name and shows no value."""
    monkeypatch.delenv("SHOPGRAPH_API_KEYS", raising=False)
    monkeypatch.setenv("SHOPGRAPH_MODEL_STORE", "models")
    with pytest.raises(SettingsMissing, match="SHOPGRAPH_API_KEYS"):
        read(WebSettings)


def test_settings_do_not_show_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when they are printed by mistake."""
    monkeypatch.setenv("SHOPGRAPH_API_KEYS", "server:shop:very-secret")
    monkeypatch.setenv("SHOPGRAPH_MODEL_STORE", "models")
    assert "very-secret" not in repr(read(WebSettings))

"""Who may call what."""

import pytest

from backend.auth import Keys, Scope
from tests.factories import ADMIN, BROWSER, ORIGIN, SERVER, world

OPEN = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/tracker.js", "/tracker.d.ts"}
OPEN |= {"/v1/webhooks"}  # signed in place of a key
NEEDS = {
    ("POST", "/v1/events"): Scope.BROWSER,
    ("POST", "/v1/items"): Scope.SERVER,
    ("DELETE", "/v1/items"): Scope.SERVER,
    ("POST", "/v1/promotions"): Scope.SERVER,
    ("GET", "/v1/recommendations"): Scope.SERVER,
    ("POST", "/v1/recommendations"): Scope.SERVER,
    ("GET", "/v1/similar-items"): Scope.SERVER,
    ("GET", "/v1/also-bought-items"): Scope.SERVER,
    ("GET", "/v1/audience"): Scope.SERVER,
    ("GET", "/v1/popular-items"): Scope.SERVER,
    ("POST", "/v1/intent"): Scope.SERVER,
    ("POST", "/v1/campaigns"): Scope.SERVER,
    ("GET", "/v1/coupon-targets"): Scope.SERVER,
    ("POST", "/v1/training-runs"): Scope.ADMIN,
    ("GET", "/v1/training-runs"): Scope.ADMIN,
    ("GET", "/v1/models"): Scope.ADMIN,
    ("POST", "/v1/models/activate"): Scope.ADMIN,
    ("PUT", "/v1/consent"): Scope.ADMIN,
    ("GET", "/v1/consent"): Scope.ADMIN,
    ("PUT", "/v1/people"): Scope.ADMIN,
    ("POST", "/v1/erasures"): Scope.ADMIN,
    ("GET", "/v1/erasures"): Scope.ADMIN,
    ("GET", "/v1/audit"): Scope.ADMIN,
    ("GET", "/v1/person-data"): Scope.ADMIN,
    ("GET", "/v1/tags"): Scope.ADMIN,
    ("DELETE", "/v1/tags"): Scope.ADMIN,
    ("GET", "/v1/click-through"): Scope.SERVER,
    ("GET", "/v1/quality-reports"): Scope.ADMIN,
    ("GET", "/v1/dead-letters"): Scope.ADMIN,
    ("PUT", "/v1/dead-letters"): Scope.ADMIN,
    ("DELETE", "/v1/dead-letters"): Scope.ADMIN,
    ("POST", "/v1/dead-letters/replay"): Scope.ADMIN,
}
HELD = {Scope.BROWSER: BROWSER, Scope.SERVER: SERVER, Scope.ADMIN: ADMIN}


def test_g8_every_route_is_in_the_table_of_scopes() -> None:
    """A new call cannot be forgotten here, so none is open by accident."""
    app = world().app
    routes = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS") and rule.rule not in OPEN
        if rule.endpoint != "static"
    }
    assert routes == set(NEEDS)


@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_g8_without_a_key_nothing_under_v1_answers(method: str, path: str) -> None:
    """No key, 401."""
    answer = world().client.open(path, method=method)
    assert (answer.status_code, answer.json["code"]) == (401, "key_missing")


@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_g8_a_wrong_key_is_refused_and_not_echoed(method: str, path: str) -> None:
    """A wrong key, 401, and the key stands nowhere in the answer."""
    answer = world().client.open(path, method=method, headers={"X-API-Key": "wrong-secret"})
    assert (answer.status_code, answer.json["code"]) == (401, "key_wrong")
    assert "wrong-secret" not in answer.text


@pytest.mark.parametrize("held", HELD, ids=lambda scope: scope.name)
@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_g8_a_key_opens_its_own_scope_and_those_below(method: str, path: str, held: Scope) -> None:
    """The table of scopes, every call with every kind of key."""
    answer = world().client.open(path, method=method, headers=HELD[held])
    is_refused = answer.status_code == 403
    assert is_refused == (held < NEEDS[method, path])
    if is_refused:
        assert answer.json["code"] == "scope_too_small"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example"])
def test_g8_a_page_of_another_origin_is_refused_and_counted(origin: str) -> None:
    """A foreign origin gets 403 even with a good key."""
    client = world().client
    answer = client.post("/v1/events", headers={**BROWSER, "Origin": origin}, json={})
    assert (answer.status_code, answer.json["code"]) == (403, "origin_refused")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "shopgraph_origins_refused_total 1.0" in client.get("/metrics").text


def test_a_page_of_a_listed_origin_is_answered_with_its_origin() -> None:
    """CORS goes by the configured list and never says ``*``."""
    answer = world().client.post("/v1/events", headers={**BROWSER, "Origin": ORIGIN}, json={})
    assert answer.status_code == 422
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(("origin", "is_listed"), [(ORIGIN, True), ("https://x.example", False)])
def test_a_preflight_tells_listed_origins_only(origin: str, is_listed: bool) -> None:
    """A browser asks before it sends a key; others learn nothing."""
    answer = world().client.options(
        "/v1/events", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
    )
    assert answer.status_code == 204
    assert ("Access-Control-Allow-Headers" in answer.headers) is is_listed
    assert ("Access-Control-Allow-Origin" in answer.headers) is is_listed


@pytest.mark.parametrize("text", ["secret", "server:secret", "root:x:secret", "server::secret"])
def test_a_list_of_keys_that_makes_no_sense_stops_the_start_without_the_key(text: str) -> None:
    """The message says the form and never the key."""
    with pytest.raises(ValueError, match="scope:name:key") as refused:
        Keys.parse(text)
    assert "secret" not in str(refused.value)


def test_a_key_may_hold_colons() -> None:
    """Only the first two colons part scope, name and key."""
    found = Keys.parse("server:shop:a:b:c").find("a:b:c")
    assert found is not None
    assert found.name == "shop"

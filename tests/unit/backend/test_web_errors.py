"""Every failing answer has the one body, and none says more than it should."""

import pytest
import structlog

from graph import models, training_runs
from graph.errors import GraphRejected, GraphUnavailable, UnknownRun
from graph.known_people import look_up
from tests.factories import ADMIN, SERVER, world

FIELDS = {"code", "message", "field", "request_id"}


def test_an_unknown_address_is_404_with_the_error_body() -> None:
    """No HTML, whatever is asked for."""
    answer = world().client.get("/v2/nothing")
    assert answer.status_code == 404
    assert set(answer.json) == FIELDS
    assert answer.json["code"] == "not_found"


def test_a_wrong_method_is_405_and_says_which_are_right() -> None:
    """The error body, and the Allow header."""
    answer = world().client.delete("/v1/events")
    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_the_request_id_of_the_caller_comes_back() -> None:
    """In the header and in the body."""
    answer = world().client.get("/v1/models", headers={"X-Request-ID": "call-17"})
    assert answer.headers["X-Request-ID"] == "call-17"
    assert answer.json["request_id"] == "call-17"


@pytest.mark.parametrize("sent", ["", "two words", "x" * 200, "a<b>"])
def test_a_request_id_that_is_none_is_replaced(sent: str) -> None:
    """What is echoed can do no harm in a header or a log."""
    answer = world().client.get("/healthz", headers={"X-Request-ID": sent})
    assert len(answer.headers["X-Request-ID"]) == 32


def test_a_fault_of_ours_says_nothing_of_its_cause() -> None:
    """No stack trace, no message of the exception."""
    here = world(answers={models.all_models: RuntimeError("u-17 paid 12.50")})
    answer = here.client.get("/v1/models", headers=ADMIN)
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert "u-17" not in answer.text
    assert "Traceback" not in answer.text


def test_a_fault_of_ours_is_logged_by_place_without_what_the_client_sent() -> None:
    """The log tells where it broke, and nothing personal."""
    here = world(answers={models.all_models: RuntimeError("u-17 paid 12.50")})
    with structlog.testing.capture_logs() as lines:
        here.client.get("/v1/models", headers=ADMIN)
    broke = next(line for line in lines if line["event"] == "request_broke")
    assert broke["error"] == "RuntimeError"
    assert any("models.py" in place for place in broke["places"])
    assert "u-17" not in str(lines)
    assert "admin-secret" not in str(lines)


def test_a_graph_that_is_away_is_503_with_a_time_to_wait() -> None:
    """Calls that need the graph say when to come back."""
    answer = world(answers={models.all_models: GraphUnavailable("x")}).client.get(
        "/v1/models", headers=ADMIN
    )
    assert (answer.status_code, answer.json["code"]) == (503, "graph_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_query_the_graph_refuses_is_a_fault_of_ours() -> None:
    """500, since another try would not help."""
    answer = world(answers={look_up: GraphRejected("syntax")}).client.get(
        "/v1/recommendations?user_id=u-1", headers=SERVER
    )
    assert answer.status_code == 500
    assert "syntax" not in answer.text


def test_an_unknown_run_is_404() -> None:
    """By the table from error to status."""
    answer = world(answers={training_runs.get: UnknownRun("x")}).client.get(
        "/v1/training-runs?run_id=t-9", headers=ADMIN
    )
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_run")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("user_id=u-1&limit=0", "out_of_range", "limit"),
        ("user_id=u-1&limit=-1", "out_of_range", "limit"),
        ("user_id=u-1&limit=101", "out_of_range", "limit"),
        ("user_id=u-1&limit=1000000000", "out_of_range", "limit"),
        ("user_id=u-1&limit=1e9", "invalid_type", "limit"),
        ("user_id=u-1&limit=x", "invalid_type", "limit"),
        ("user_id=u-1&limit=", "invalid_type", "limit"),
        ("user_id=u-1&limit=1&limit=2", "invalid", "limit"),
        ("user_id=null", "invalid_id", "user_id"),
        ("user_id=", "invalid_id", "user_id"),
        ("user_id=%20NaN%20", "invalid_id", "user_id"),
        ("user_id=%5Bobject%20Object%5D", "invalid_id", "user_id"),
        ("user_id=" + "x" * 256, "id_too_long", "user_id"),
        ("user_id=a%00b", "invalid_id", "user_id"),
        ("user_id=u-1&colour=red", "unknown_field", "colour"),
        ("user_id=u-1&exclude=undefined", "invalid_id", "exclude.0"),
        ("", "invalid_type", None),
    ],
)
def test_g4_a_bad_question_is_422_and_names_the_field(
    query: str, code: str, field: str | None
) -> None:
    """Every bad parameter has a code and a name, and no query is unbounded."""
    answer = world().client.get(f"/v1/recommendations?{query}", headers=SERVER)
    assert answer.status_code == 422
    assert set(answer.json) == FIELDS
    assert (answer.json["code"], answer.json["field"]) == (code, field)


@pytest.mark.parametrize("body", [b"", b"  ", b"{", b"nonsense", b"[" * 100_000, b"\xff\xfe"])
def test_a_body_that_is_no_json_is_400(body: bytes) -> None:
    """Every call with a body says so in the same way."""
    for path in ("/v1/intent", "/v1/recommendations"):
        answer = world().client.post(path, headers=SERVER, data=body)
        assert answer.status_code == 400
        assert answer.json["code"] in ("invalid_json", "body_empty")


def test_the_log_is_quiet_about_good_calls() -> None:
    """A line for each of thousands of good calls a second would cost more than the call."""
    with structlog.testing.capture_logs() as lines:
        world().client.get("/healthz")
    assert all(line["log_level"] == "debug" for line in lines)

"""The server clients before a collector that fails as it is told to."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.clients.conftest import Send

BAD = {"code": "malformed", "message": "no"}


@dataclass
class Collector:
    """
    Answers posts in turn as told, then takes all.

    Attributes:
        answers: status, headers, body; the status 0 hangs up without an answer.
    """

    url: str = ""
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def ids(self) -> list[list[str]]:
        """The event ids of each post."""
        return [[event["event_id"] for event in body["events"]] for body in self.bodies]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that listens."""
    found = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            found.times.append(time.monotonic())
            found.keys.append(self.headers["X-API-Key"])
            found.sizes.append(int(self.headers["Content-Length"]))
            body = json.loads(self.rfile.read(found.sizes[-1]))
            found.bodies.append(body)
            taken = {"rows": [{"status": "accepted", **event} for event in body["events"]]}
            status, headers, answer = found.answers.pop(0) if found.answers else (202, {}, taken)
            if status == 0:
                return
            told = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(told))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(told)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def test_events_get_an_id_and_a_time_and_keep_their_own(send: Send, collector: Collector) -> None:
    sent = send(collector.url, [{"user_id": "u"}, {"event_id": "mine", "event_time": "then"}])

    first, second = collector.bodies[0]["events"]
    assert first["event_id"]
    assert first["event_time"].startswith("20")
    assert second == {"event_id": "mine", "event_time": "then"}
    assert [row["status"] for row in sent.rows] == ["accepted", "accepted"]
    assert collector.keys == ["k"]


def test_no_event_is_no_request(send: Send, collector: Collector) -> None:
    assert send(collector.url, []).rows == []
    assert collector.bodies == []


def test_many_events_go_in_batches_in_order(send: Send, collector: Collector) -> None:
    sent = send(collector.url, [{"event_id": f"e{i}"} for i in range(250)])

    assert [len(ids) for ids in collector.ids()] == [100, 100, 50]
    assert [row["event_id"] for row in sent.rows] == [f"e{i}" for i in range(250)]


def test_large_events_go_in_batches_below_a_mebibyte(send: Send, collector: Collector) -> None:
    send(collector.url, [{"query": "红" * 15_000} for _ in range(60)])

    assert sum(map(len, collector.ids())) == 60
    assert len(collector.bodies) > 1
    assert max(collector.sizes) < 1 << 20


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_a_failure_is_tried_again_with_the_same_ids_and_times(
    status: int, send: Send, collector: Collector
) -> None:
    collector.answers = [(status, {}, b"<html>")]

    sent = send(collector.url, [{}, {}])

    first, second = collector.bodies
    assert first["events"] == second["events"]
    assert first["sent_at"] < second["sent_at"]
    assert collector.times[1] - collector.times[0] >= 0.5
    assert [row["event_id"] for row in sent.rows] == collector.ids()[0]


def test_retry_after_is_waited_for(send: Send, collector: Collector) -> None:
    collector.answers = [(503, {"Retry-After": "2"}, BAD)]

    send(collector.url, [{}])

    assert collector.times[1] - collector.times[0] >= 2.0


@pytest.mark.parametrize("status", [400, 401, 403, 410, 413, 422])
def test_a_refusal_is_not_tried_again(status: int, send: Send, collector: Collector) -> None:
    collector.answers = [(status, {}, BAD)]

    sent = send(collector.url, [{"event_id": "e"}])

    assert (sent.error, sent.status, sent.code) == ("EventsRefused", status, "malformed")
    assert [event["event_id"] for event in sent.left] == ["e"]
    assert len(collector.bodies) == 1


@pytest.mark.parametrize("status", [413, 422])
def test_rows_that_were_all_refused_are_told_one_by_one(
    status: int, send: Send, collector: Collector
) -> None:
    rows = [{"index": 0, "status": "rejected", "code": "missing_field"}]
    collector.answers = [(status, {}, {"rows": rows, **BAD})]

    assert send(collector.url, [{}]).rows == rows


def test_what_is_left_after_giving_up_can_be_sent_again_without_doubles(
    send: Send, collector: Collector
) -> None:
    collector.answers = [(202, {}, {"rows": [{"status": "accepted"}] * 100})]
    collector.answers += [(503, {"Retry-After": "60"}, BAD)]

    gave_up = send(collector.url, [{} for _ in range(150)], patience_s=5.0)

    assert gave_up.error == "Away"
    assert len(gave_up.rows) == 100
    assert [event["event_id"] for event in gave_up.left] == collector.ids()[1]
    send(collector.url, gave_up.left)
    assert collector.ids()[2] == collector.ids()[1]


def test_errors_do_not_show_the_key(send: Send, collector: Collector) -> None:
    collector.answers = [(401, {}, {"code": "key_wrong", "message": "the key is wrong"})]

    assert "secret" not in send(collector.url, [{}], key="a-secret").message

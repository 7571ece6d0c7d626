"""From the stream into a real graph: each event once in effect, whatever happens."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import redis

from graph import counts, leases, users
from graph.aftermath import aftermath
from graph.client import Graph
from graph.domain.events import EventType
from graph.errors import LeaseLost
from graph.settings import GraphSettings
from tests.environments import process_environment
from tests.stored import past_of, stored
from workers.ingest.consumer import Consumer
from workers.ingest.settings import IngestSettings
from workers.ingest.writer import LEASE_NAME
from workers.intake.consent import ConsentCopy
from workers.intake.deadletters import DeadLetters
from workers.intake.door import Door
from workers.intake.online import OnlineState
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.stream import STREAM, EventStream

NOW = 1_772_352_000_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))
DOOR = Door(PSEUDONYMS)
SLICE = 20_000


def row(event_id: str, **changes: object) -> dict[str, object]:
    """A good view, changed."""
    return {
        "event_id": event_id,
        "event_type": "view",
        "user_id": "u-17",
        "item_id": "SKU-1",
        "event_time": "2026-03-01T08:00:00Z",
    } | changes


def append(stream: EventStream, *rows: dict[str, object]) -> None:
    """Put rows on the stream as an importer does, without looking for repeats."""
    checked = DOOR.check(rows, default_source="web", received_ms=NOW)
    assert not [one.faults for one in checked.rows if one.faults]
    stream.append(checked.events)


def edges(graph: Graph, kind: str) -> int:
    """How many edges of a type the graph has."""
    return graph.read(counts.counts).relationships.get(kind, 0)


@pytest.fixture
def consumer(graph: Graph, redis_url: str) -> Consumer:
    """An ingest worker in this process."""
    return Consumer(graph, redis_url, IngestSettings())


def test_events_become_edges_and_leave_the_stream(
    graph: Graph, redis_url: str, consumer: Consumer
) -> None:
    """A1: three views of one item on three days are three edges."""
    stream = EventStream(redis_url)
    days = [f"2026-02-2{day}T08:00:00Z" for day in range(3)]
    append(stream, *(row(f"e{day}", event_time=text) for day, text in enumerate(days)))
    consumer.drain()
    assert edges(graph, "VIEWED") == 3
    assert (stream.depth(), stream.backlog_bytes()) == (0, 0)


def test_repeats_change_nothing_and_conflicts_are_kept_for_review(
    graph: Graph, redis_url: str, consumer: Consumer
) -> None:
    """The first telling wins, for ever."""
    stream = EventStream(redis_url)
    append(stream, row("e1"), row("e2"))
    consumer.drain()
    append(stream, row("e1"))
    append(stream, row("e2", item_id="SKU-2"))
    consumer.drain()
    assert edges(graph, "VIEWED") == 2
    assert [letter.reason for letter in DeadLetters(redis_url).newest()] == ["conflict"]


def test_an_unreadable_entry_is_put_aside_and_the_rest_goes_on(
    graph: Graph, redis_url: str, consumer: Consumer
) -> None:
    """Poison stops nothing."""
    stream = EventStream(redis_url)
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(STREAM, {"events": b"\xffnot events"})
    append(stream, row("e1"))
    consumer.drain()
    assert edges(graph, "VIEWED") == 1
    assert [letter.reason for letter in DeadLetters(redis_url).newest()] == ["unreadable"]


def test_an_event_that_the_graph_cannot_take_is_put_aside_alone(
    graph: Graph, redis_url: str, consumer: Consumer
) -> None:
    """Its neighbours in the batch are stored."""
    stream = EventStream(redis_url)
    checked = DOOR.check([row(f"e{k}") for k in range(9)], default_source="w", received_ms=NOW)
    checked.events[4] = checked.events[4]._replace(value={"a": "map"})  # type: ignore[arg-type]
    stream.append(checked.events)
    consumer.drain()
    assert edges(graph, "VIEWED") == 8
    letters = DeadLetters(redis_url).newest()
    assert [letter.reason for letter in letters] == ["graph_rejected"]


def test_i5_a_refund_that_comes_first_waits_for_its_purchase(
    graph: Graph, redis_url: str, consumer: Consumer
) -> None:
    """Applied when the order is there, line by line, once."""
    stream = EventStream(redis_url)
    refund = row("r1", event_type="refund", order_id="o1")
    del refund["item_id"]
    append(stream, refund)
    consumer.drain()
    assert edges(graph, "REFUNDED") == 0
    lines = [{"line": 1, "item_id": "a"}, {"line": 2, "item_id": "b"}]
    append(stream, row("p1", event_type="purchase", order_id="o1", lines=lines))
    append(stream, refund)
    consumer.drain()
    assert (edges(graph, "PURCHASED"), edges(graph, "REFUNDED")) == (2, 2)


def test_the_online_state_follows_the_graph(
    graph: Graph, redis_url: str, consumer: Consumer
) -> None:
    """A held list gets what is new; the state changes with it; a stale copy is not taken."""
    stream, online = EventStream(redis_url), OnlineState(redis_url)
    user_id = PSEUDONYMS.customer("u-17")[0]
    append(stream, row("e1"))
    consumer.drain()
    before = online.recent(user_id)
    assert before.events is None
    past = past_of(graph, user_id)
    assert online.fill(user_id, past, before.state)
    append(stream, row("e2", item_id="SKU-2", event_time="2026-03-01T08:00:01Z"))
    append(stream, row("e2", item_id="SKU-2", event_time="2026-03-01T08:00:01Z"))
    consumer.drain()
    after = online.recent(user_id)
    assert after.events is not None
    assert [(e.type, e.item_id) for e in after.events] == [
        (EventType.VIEW, "SKU-2"), (EventType.VIEW, "SKU-1"),
    ]  # fmt: skip
    assert list(after.events) == past_of(graph, user_id)
    assert after.state > before.state
    assert not online.fill(user_id, past, before.state)


def test_a_second_worker_stands_by(graph: Graph, redis_url: str, consumer: Consumer) -> None:
    """One writes at a time."""
    now_ms = time.time_ns() // 1_000_000
    graph.write(leases.acquire, LEASE_NAME, "another", now_ms=now_ms, ttl_ms=60_000)
    with pytest.raises(LeaseLost):
        consumer.drain()


def test_kill_9_of_the_worker_at_any_point_loses_and_doubles_nothing(
    graph: Graph, redis_url: str, neo4j_settings: GraphSettings
) -> None:
    """Killed again and again on the way through 20,000 rows, the last one finishes them."""
    stream = EventStream(redis_url)
    for start in range(0, SLICE, 500):
        append(
            stream,
            *(
                row(f"e{n}", user_id=f"u-{n % 97 + 1}", item_id=f"i-{n % 1013}")
                for n in range(start, start + 500)
            ),
        )
    env = _environment(neo4j_settings, redis_url)
    for left in (34, 24, 14):
        worker = subprocess.Popen([sys.executable, "-m", "workers.ingest"], env=env)
        _wait_for_depth(stream, left)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert stream.depth() > 0
    worker = subprocess.Popen([sys.executable, "-m", "workers.ingest", str(os.getpid())], env=env)
    try:
        _wait_for_depth(stream, 0)
    finally:
        worker.terminate()
        assert worker.wait(30) == 0
    assert graph.read(stored, "VIEWED") == (SLICE, SLICE, SLICE)
    assert (stream.depth(), stream.backlog_bytes()) == (0, 0)
    nodes = graph.read(counts.counts).nodes
    assert (nodes["User"], nodes["Item"]) == (97, 1013)


def _wait_for_depth(stream: EventStream, most: int) -> None:
    deadline = time.monotonic() + 120
    while stream.depth() > most:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _environment(settings: GraphSettings, redis_url: str) -> dict[str, str]:
    return process_environment(
        settings,
        redis_url,
        SHOPGRAPH_INGEST_BATCH_EVENTS="1000",
        SHOPGRAPH_INGEST_LEASE_TTL_MS="1000",
    )


def test_a_withdrawal_while_an_older_grant_is_told_is_not_undone(
    graph: Graph, redis_url: str, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy at the door follows the graph, not what was read of it a moment before."""
    copy, person = ConsentCopy(redis_url), PSEUDONYMS.customer("u-17")[0]
    append(EventStream(redis_url), row("e1", consent={"marketing": "granted"}))
    ask = consumer._ask

    def ask_and_be_overtaken(query: Any, *args: Any) -> Any:
        found = ask(query, *args)
        if query is aftermath:
            graph.write(users.set_consent, person, {"marketing": "denied"}, now_ms=NOW + 1)
            copy.note(graph.read(users.denials, [person]))
        return found

    monkeypatch.setattr(consumer, "_ask", ask_and_be_overtaken)
    consumer.drain()
    assert copy.denies(person, "marketing")

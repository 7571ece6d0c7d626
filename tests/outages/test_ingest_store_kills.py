"""Neo4j and Valkey killed under a running ingest worker: nothing is lost, nothing is doubled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from graph import migrations
from graph.client import Graph
from graph.settings import GraphSettings
from tests.stored import stored
from workers.intake.door import Door
from workers.intake.errors import StreamUnavailable
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.stream import EventStream
from workers.local import Ports, Starting, environment, start_local, stop_local

NOW = 1_772_352_000_000
SLICE = 20_000
DOOR = Door(Pseudonyms(b"p" * 32, bytes(range(64))))


def test_kill_9_of_neo4j_and_valkey_in_the_middle(local_home: Path) -> None:
    """The worker waits for both, goes on by itself, and ends with exactly the slice."""
    ports, how = Ports.free(), Starting(started_by="a test", ends_with_parent=True, for_tests=True)
    state = start_local(local_home, ports, how)
    env = os.environ | environment(local_home)
    graph = Graph(_settings(env))
    migrations.apply(graph, owner="test", now_ms=NOW)
    stream = EventStream(env["REDIS_URL"])
    _append(stream)
    worker = subprocess.Popen(
        [sys.executable, "-m", "workers.ingest", str(os.getpid())],
        env=env | {"SHOPGRAPH_INGEST_BATCH_EVENTS": "1000"},
    )
    try:
        _wait_until(lambda: graph.read(stored, "PURCHASED")[0] > 0, seconds=60)
        for service in state.alive.values():
            os.kill(service.running.pid, signal.SIGKILL)
        time.sleep(1)
        stop_local(local_home)
        start_local(local_home, ports, how)
        assert worker.poll() is None
        _wait_until(lambda: _depth(stream) == 0, seconds=120)
    finally:
        worker.terminate()
        assert worker.wait(60) == 0
    assert graph.read(stored, "PURCHASED") == (SLICE, SLICE, SLICE)
    graph.close()


def _append(stream: EventStream) -> None:
    for start in range(0, SLICE, 2_000):
        rows = [
            {
                "event_id": f"order-{number}",
                "event_type": "purchase",
                "user_id": f"u-{number % 97 + 1}",
                "order_id": f"order-{number}",
                "event_time": "2026-03-01T08:00:00Z",
                "lines": [{"line": n, "item_id": f"i-{n + number % 500}"} for n in range(10)],
            }
            for number in range(start // 10, start // 10 + 200)
        ]
        stream.append(DOOR.check(rows, default_source="shop", received_ms=NOW).events)


def _settings(env: dict[str, str]) -> GraphSettings:
    return GraphSettings(
        uri=env["NEO4J_URI"],
        user=env.get("NEO4J_USER", "neo4j"),
        password=env.get("NEO4J_PASSWORD"),  # type: ignore[arg-type]
    )


def _depth(stream: EventStream) -> int:
    try:
        return stream.depth()
    except StreamUnavailable:
        return -1


def _wait_until(holds: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)

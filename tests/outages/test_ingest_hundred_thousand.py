"""A hundred thousand events through the real thing, while each part of it is killed in turn."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from neo4j import ManagedTransaction

from graph import migrations
from graph.client import Graph
from graph.server.ports import is_free
from graph.settings import GraphSettings
from workers.intake.deadletters import DeadLetters
from workers.intake.errors import StreamUnavailable
from workers.intake.stream import EventStream
from workers.local import Ports, Starting, environment, local_status, start_local, stop_local
from workers.local.secrets import load_secrets
from workers.local.supervisor import PROCESSES, child_environment

EVENTS = 100_000
THREADS = 32
RETRIED = 0.2
HOW = Starting(started_by="a test", ends_with_parent=True, for_tests=True)
TYPES = ("view", "view", "view", "view", "click", "cart", "favorite", "search", "purchase")


class Server:
    """Neo4j or Valkey in a folder of its own, so that each can be killed and started alone."""

    def __init__(self, home: Path, other: tuple[str, str]) -> None:
        """
        Args:
            other: variable and address of the service that runs elsewhere.
        """
        self.home, self._other, self._ports = home, other, Ports.free()

    def start(self) -> dict[str, str]:
        """Start it, wait until it answers, and say what its users need to know."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(*self._other)
            start_local(self.home, self._ports, HOW)
            return environment(self.home)

    def kill(self) -> None:
        """End it as a power cut would."""
        state = local_status(self.home)
        assert state is not None
        for service in state.alive.values():
            os.kill(service.running.pid, signal.SIGKILL)
        wait_until(lambda: not state.alive, seconds=20)
        wait_until(lambda: all(is_free(one.port) for one in state.services.values()), seconds=20)
        stop_local(self.home)  # closes the books


class Child:
    """One of our own processes, which can be killed and started again."""

    def __init__(self, name: str, env: dict[str, str], log: Path) -> None:
        self._command, self._env, self._log = PROCESSES[name], env, log
        self._running = self._start()

    def kill_and_start(self) -> None:
        """End it with SIGKILL, and start another one."""
        self._running.kill()
        self._running.wait()
        self._running = self._start()

    def end(self) -> int:
        """Ask it to end; its exit code."""
        self._running.terminate()
        return self._running.wait(60)

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as out:
            return subprocess.Popen(
                self._command, env=self._env, stdout=out, stderr=subprocess.STDOUT
            )


@dataclass
class World:
    """Everything that runs, and what may be killed."""

    neo4j: Server
    valkey: Server
    ingest: Child
    graph: Graph
    redis_url: str
    api_port: int
    key: str


@dataclass
class Book:
    """What the clients have seen; ``gate`` is how many events they may have taken so far."""

    batches: list[list[dict[str, Any]]]
    gate: int = 0
    taken: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    waits_told: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def test_a_hundred_thousand_events_while_everything_is_killed_in_turn(
    local_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every 202 is in the graph exactly once, and every 503 said when to come again."""
    batches = [list(batch) for batch in made_batches()]
    book = Book(list(reversed(batches)))
    with running_world(local_home) as world:
        began = time.monotonic()
        clients = [
            threading.Thread(target=client, args=(world, book, seed), daemon=True)
            for seed in range(THREADS)
        ]
        for one in clients:
            one.start()
        for step, kill in enumerate((kill_ingest, kill_neo4j, kill_valkey) * 2, start=1):
            open_gate(book, EVENTS * step // 7)
            kill(world, book)
        open_gate(book, EVENTS)
        for one in clients:
            one.join(120)
        assert not book.faults
        stream = EventStream(world.redis_url)
        wait_until(lambda: depth(stream) == 0, seconds=150)
        took = time.monotonic() - began
        assert world.ingest.end() == 0
        expected = {key for batch in batches for row in batch for key in keys_of(row)}
        stored = world.graph.read(edges_by_event)
        waiting = DeadLetters(world.redis_url).depth()
        left = stream.backlog_bytes()
    with capsys.disabled():
        sys.stdout.write(
            f"\n{EVENTS:,} events in {len(batches):,} batches from {THREADS} threads, {took:.0f} s:"
            f" {book.statuses[202]:,} × 202, {book.statuses[503]:,} × 503,"
            f" {book.retries:,} retries, rows {dict(book.rows)};"
            f" {sum(stored.values()):,} edges of {len(stored):,} facts,"
            f" {len(expected - stored.keys())} lost,"
            f" {sum(n - 1 for n in stored.values())} doubled\n"
        )
    assert sum(len(batch) for batch in batches) == book.taken == EVENTS
    assert stored.keys() == expected
    assert set(stored.values()) == {1}
    assert (waiting, left) == (0, 0)
    assert set(book.statuses) == {202, 503}
    assert book.waits_told
    assert book.rows["accepted"] + book.rows["duplicate"] == sum(book.rows.values())


def client(world: World, book: Book, seed: int) -> None:
    """Send batch after batch: again when told to wait, and sometimes for no reason."""
    chance = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", world.api_port, timeout=60)
    try:
        while (batch := next_batch(book)) is not None:
            tries = 0
            while not was_taken(world, book, connection, batch):
                tries += 1
                assert tries < 200
                time.sleep(0.2 + chance.random())  # impatient, so that there are many
            if chance.random() < RETRIED:
                book.retries += 1
                was_taken(world, book, connection, batch)
    except Exception as error:
        book.faults.append(repr(error))
    finally:
        connection.close()


def next_batch(book: Book) -> list[dict[str, Any]] | None:
    """The next batch, once the gate is open for it; none when all are sent."""
    while True:
        with book.lock:
            if not book.batches or book.faults:
                return None
            if book.taken < book.gate:
                book.taken += len(book.batches[-1])
                return book.batches.pop()
        time.sleep(0.01)


def was_taken(
    world: World, book: Book, connection: http.client.HTTPConnection, batch: list[dict[str, Any]]
) -> bool:
    """One try: whether it was answered with 202."""
    sent_at = datetime.now(UTC).isoformat()
    body = json.dumps([row | {"sent_at": sent_at} for row in batch])
    headers = {"X-API-Key": world.key, "Content-Type": "application/json"}
    try:
        connection.request("POST", "/v1/events", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    except (ConnectionError, http.client.RemoteDisconnected):
        connection.close()  # the server closes what was idle for long; the next try opens it anew
        book.retries += 1
        return False
    with book.lock:
        book.statuses[answer.status] += 1
        if answer.status == 202:
            statuses = [row["status"] for row in json.loads(text)["rows"]]
            assert len(statuses) == len(batch)
            book.rows.update(statuses)
            return True
        assert answer.status == 503, text
        wait = answer.headers["Retry-After"]
        assert wait is not None
        assert int(wait) >= 1
        book.waits_told.add(wait)
        book.retries += 1
        return False


def open_gate(book: Book, upto: int) -> None:
    """Let the clients go on, and wait until they have."""
    book.gate = upto
    wait_until(lambda: book.taken >= upto or bool(book.faults), seconds=120)
    assert not book.faults


def kill_ingest(world: World, _book: Book) -> None:
    """The worker dies with a batch in hand; another one takes over."""
    world.ingest.kill_and_start()


def kill_neo4j(world: World, _book: Book) -> None:
    """The graph dies under the worker; the door goes on taking events."""
    world.neo4j.kill()
    world.neo4j.start()


def kill_valkey(world: World, book: Book) -> None:
    """The stream dies; until it is back the door says when to come again."""
    world.valkey.kill()
    told = book.statuses[503]
    book.gate += 500
    wait_until(lambda: book.statuses[503] > told or bool(book.faults), seconds=60)
    assert not book.faults
    world.valkey.start()


def made_batches() -> Iterator[list[dict[str, Any]]]:
    """Events of many people and items, cut into batches of 10 to 50."""
    chance = random.Random(7)
    left = EVENTS
    while left:
        size = min(left, chance.randint(10, 50))
        yield [made_row(EVENTS - left + k, chance) for k in range(size)]
        left -= size


def made_row(number: int, chance: random.Random) -> dict[str, Any]:
    """One event; orders have up to three lines."""
    kind = TYPES[number % len(TYPES)]
    row: dict[str, Any] = {
        "event_id": f"e-{number}",
        "event_type": kind,
        "user_id": f"user-{chance.randrange(1, 2_000)}",
        "event_time": datetime.now(UTC).isoformat(),
    }
    items = [f"item-{chance.randrange(5_000)}" for _ in range(3)]
    if kind == "purchase":
        lines = [{"line": k + 1, "item_id": item} for k, item in enumerate(items[: number % 3 + 1])]
        return row | {"order_id": f"order-{number}", "lines": lines}
    return row | ({"query": f"tea {number % 50}"} if kind == "search" else {"item_id": items[0]})


def keys_of(row: dict[str, Any]) -> list[str]:
    """What the facts of a row are known by in the graph."""
    key = f"local|{row['event_id']}"
    return [f"{key}|{line['line']}" for line in row["lines"]] if "lines" in row else [key]


def edges_by_event(tx: ManagedTransaction) -> Counter[str]:
    """How often each event is in the graph."""
    rows = tx.run(
        """
        MATCH (:User)-[r:VIEWED|CLICKED|CARTED|FAVORITED|SEARCHED|PURCHASED]->()
        RETURN r.event_id AS event_id, count(*) AS n
        """
    )
    return Counter({row["event_id"]: row["n"] for row in rows})


@contextmanager
def running_world(home: Path) -> Iterator[World]:
    """Neo4j, Valkey, the API and ingest, each a process of its own."""
    ports = Ports.free()
    neo4j = Server(home / "graph", ("REDIS_URL", "redis://elsewhere"))
    valkey = Server(home / "stream", ("NEO4J_URI", "bolt://elsewhere"))
    with ExitStack() as cleanup:
        env = {}
        for server in (neo4j, valkey):
            cleanup.callback(stop_local, server.home)
            env |= server.start()
        graph = Graph(GraphSettings(uri=env["NEO4J_URI"]))
        cleanup.callback(graph.close)
        migrations.apply(graph, owner="test", now_ms=int(time.time() * 1000))
        env |= {"SHOPGRAPH_INGEST_LEASE_TTL_MS": "2000"}
        children = child_environment(env, home=home, api_port=ports.api_port)
        api = Child("api", children, home / "api.log")
        cleanup.callback(api.end)
        ingest = Child("ingest", children, home / "ingest.log")
        cleanup.callback(ingest.end)
        wait_until(lambda: answers(ports.api_port), seconds=60)
        key = load_secrets(valkey.home).server_key
        yield World(neo4j, valkey, ingest, graph, env["REDIS_URL"], ports.api_port, key)


def answers(port: int) -> bool:
    """Whether the API runs."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def depth(stream: EventStream) -> int:
    """Entries on the stream; none known while it is away."""
    try:
        return stream.depth()
    except StreamUnavailable:
        return -1


def wait_until(holds: Callable[[], bool], *, seconds: float) -> None:
    """Look again and again until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)

"""Many writers, and nodes with very many edges."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from neo4j import ManagedTransaction, NotificationMinimumSeverity

from graph import events, migrations, pulls
from graph.client import Graph
from graph.domain.events import Event, EventType
from graph.domain.ids import DeviceId, EventId, ItemId, UserId
from graph.errors import GraphError, GraphUnavailable, SchemaMissing
from graph.settings import GraphSettings
from tests.stored import past_of

WRITERS = 16
DAY_MS = 86_400_000


def viewed(event_id: str, user_id: str, item_id: str, **changes: Any) -> Event:
    values: dict[str, Any] = {
        "event_id": EventId(event_id),
        "type": EventType.VIEW,
        "user_id": UserId(user_id),
        "ts": 1_000,
        "received_ts": 1_001,
        "source": "web",
        "item_id": ItemId(item_id),
    }
    return Event(**(values | changes))


def one(graph: Graph, query: str, **parameters: Any) -> dict[str, Any]:
    return graph.read(lambda tx: dict(tx.run(query, **parameters).single(strict=True)))


def store(graph: Graph, batch: Sequence[Event]) -> events.Recorded:
    """As the ingest worker does: what was refused for the moment is sent again."""
    for _ in range(20):
        try:
            return graph.write(events.record, batch)
        except GraphUnavailable:
            continue
    raise AssertionError("refused twenty times")


def test_a1_three_views_of_one_item_are_three_steps(graph: Graph) -> None:
    """Of one person, on three days: three edges, with a first and a last time over them."""
    days = [viewed(f"e{day}", "c_anna", "A", ts=day * DAY_MS) for day in (1, 2, 3)]
    assert graph.write(events.record, days).stored == {"e1", "e2", "e3"}
    summary = one(
        graph,
        "MATCH (:User)-[r:VIEWED]->(:Item) "
        "RETURN count(r) AS n, min(r.ts) AS first, max(r.ts) AS last",
    )
    assert summary == {"n": 3, "first": DAY_MS, "last": 3 * DAY_MS}
    steps = past_of(graph, UserId("c_anna"), limit=10)
    assert [step.ts for step in steps] == [3 * DAY_MS, 2 * DAY_MS, DAY_MS]
    page = graph.read(pulls.edges, EventType.VIEW, after=0, upper=3, page=10)
    assert (page.ts, page.n) == ([DAY_MS, 2 * DAY_MS, 3 * DAY_MS], 3)


@pytest.fixture
def empty_graph(graph: Graph, neo4j_settings: GraphSettings) -> Iterator[Graph]:
    """The test graph without anything, its schema included."""
    _drop_schema(graph)
    yield graph
    migrations.apply(graph, owner="tests", now_ms=1)


def _drop_schema(graph: Graph) -> None:
    for kind, listed in (("CONSTRAINT", "CONSTRAINTS"), ("INDEX", "INDEXES")):
        where = "" if kind == "CONSTRAINT" else "WHERE type <> 'LOOKUP'"
        query = f"SHOW {listed} YIELD name, type {where} RETURN name"
        for name in graph.read(_values, query):
            graph.run_alone(f"DROP {kind} `{name}` IF EXISTS")
    graph.run_alone("MATCH (n) DETACH DELETE n")


def _values(tx: ManagedTransaction, query: str) -> list[str]:
    return tx.run(query).value()


def test_d1_sixteen_writers_of_the_same_hundred_make_no_twins(
    empty_graph: Graph, neo4j_settings: GraphSettings
) -> None:
    """Each user, item and edge is there once, and only one writer says that it was new."""
    with pytest.raises(SchemaMissing):
        migrations.verify(empty_graph)
    migrations.apply(empty_graph, owner="tests", now_ms=1)
    migrations.verify(empty_graph)
    batch = [viewed(f"e{n}", f"c_{n}", f"i-{n}", device_id=DeviceId(f"d_{n}")) for n in range(100)]
    starting = threading.Barrier(WRITERS)

    def write(number: int) -> list[EventId]:
        graph = Graph(neo4j_settings, warn_severity=NotificationMinimumSeverity.OFF)
        try:
            mine = batch[number * 6 :] + batch[: number * 6]
            starting.wait()
            return [
                event_id
                for start in range(0, 100, 20)
                for event_id in store(graph, mine[start : start + 20]).stored
            ]
        finally:
            graph.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        told = [event_id for stored in pool.map(write, range(WRITERS)) for event_id in stored]
    assert sorted(told) == sorted(event.event_id for event in batch)
    found = one(
        empty_graph,
        """
        RETURN COUNT { (:User) } AS users, COUNT { (:Item) } AS items,
               COUNT { (:Device) } AS devices, COUNT { ()-[:VIEWED]->() } AS edges,
               COUNT { ()-[:USES]->() } AS uses
        """,
    )
    assert found == {"users": 100, "items": 100, "devices": 100, "edges": 100, "uses": 100}
    numbers = one(empty_graph, "MATCH (u:User) RETURN count(DISTINCT u.idx) AS n")
    assert numbers == {"n": 100}
    seq = one(empty_graph, "MATCH ()-[r:VIEWED]->() RETURN collect(r.seq) AS seq")["seq"]
    assert sorted(seq) == list(range(1, 101))


def test_d1_the_schema_that_cannot_be_made_stops_the_start(empty_graph: Graph) -> None:
    """Twins that are there already make the constraint fail, aloud."""
    empty_graph.run_alone("CREATE (:User {user_id: 'c_1'}), (:User {user_id: 'c_1'})")
    with pytest.raises(GraphError):
        migrations.apply(empty_graph, owner="tests", now_ms=1)
    with pytest.raises(SchemaMissing):
        migrations.verify(empty_graph)
    empty_graph.run_alone("MATCH (n) WHERE NOT n:__Neo4jMigration DETACH DELETE n")
    migrations.apply(empty_graph, owner="tests", now_ms=2)


class Listening:
    """A transaction that writes down what it was asked."""

    def __init__(self, tx: ManagedTransaction) -> None:
        self._tx = tx
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def run(self, query: str, **parameters: Any) -> Any:
        self.asked.append((query, parameters))
        return self._tx.run(query, **parameters)


def test_d3_a_young_graph_is_written_without_walking_all_it_has(empty_graph: Graph) -> None:
    """The server plans while its statistics still say that nothing is there."""
    migrations.apply(empty_graph, owner="tests", now_ms=1)

    def facts(start: int) -> list[Event]:
        made = [
            viewed(f"e{n}", f"c_{n % 90}", f"i-{n % 70}", device_id=DeviceId(f"d_{n % 90}"),
                   consent='{"marketing":"denied"}')
            for n in range(start, start + 1_000)
        ]  # fmt: skip
        order = {"order_id": "o1", "line": start}
        made.append(viewed(f"p{start}", "c_1", "A", **order)._replace(type=EventType.PURCHASE))
        back = viewed(f"r{start}", "c_1", "A", order_id="o1")
        made.append(back._replace(type=EventType.REFUND, item_id=None))
        login = viewed(f"l{start}", "c_1", "A", visitor_id=UserId("v_1"))
        return [*made, login._replace(type=EventType.IDENTIFY, item_id=None)]

    empty_graph.write(events.record, facts(0))

    def plans(tx: ManagedTransaction) -> dict[str, str]:
        listening = Listening(tx)
        events.record(cast("ManagedTransaction", listening), facts(2_000))
        return {
            plan["operatorType"].split("@")[0]: query
            for query, parameters in listening.asked
            for plan in _every(tx.run(f"EXPLAIN {query}", **parameters).consume().plan)
        }

    walking = {name: query for name, query in empty_graph.write(plans).items() if "Scan" in name}
    assert walking == {}


def _every(plan: Any) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", ()):
        yield from _every(child)


def test_d3_a_best_seller_and_a_busy_person_keep_every_event(graph: Graph) -> None:
    """Smaller than the case; ``shopgraph benchmark`` measures the time at full size."""
    buyers = [viewed(f"b{n}", f"c_{n}", "best") for n in range(4_000)]
    deeds = [viewed(f"d{n}", "c_busy", f"i-{n % 50}", ts=n) for n in range(4_000)]
    graph.write(events.record, buyers)
    graph.write(events.record, deeds)
    more = [viewed(f"m{n}", f"c_{n}", "best", ts=2_000) for n in range(500)]
    more += [viewed(f"n{n}", "c_busy", "i-1", ts=10_000 + n) for n in range(500)]
    recorded = graph.write(events.record, [*more, *buyers[:100]])
    assert len(recorded.stored) == 1_000
    assert len(recorded.duplicates) == 100
    found = one(
        graph,
        """
        MATCH (best:Item {item_id: 'best'}), (busy:User {user_id: 'c_busy'})
        RETURN COUNT { (best)<-[:VIEWED]-() } AS best, COUNT { (busy)-[:VIEWED]->() } AS busy
        """,
    )
    assert found == {"best": 4_500, "busy": 4_500}
    steps = past_of(graph, UserId("c_busy"), limit=3)
    assert [step.ts for step in steps] == [10_499, 10_498, 10_497]

"""Whether writing to a node with very many edges takes longer than writing to any other."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from graph import events, migrations
from graph.client import Graph
from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId
from graph.settings import GraphSettings
from workers.benchmarks.figures import Bar, Figure
from workers.local import Ports, Starting, environment, start_local, stop_local

BUYERS = 200_000
DEEDS = 100_000
MORE = 1_000
BATCH = 5_000
MOST_TIMES = 3.0
NOW_MS = 1_772_352_000_000


def dense_figures(report: Callable[[str], None]) -> Iterator[Figure]:
    """
    Build a best-seller and a busy person, then write single events to them and to a quiet pair.

    Args:
        report: told what is being measured.
    """
    with _graph() as graph:
        report(f"{BUYERS:,} buyers of one item")
        _store(graph, [_event(f"b{n}", f"c_{n}", "best-seller") for n in range(BUYERS)])
        report(f"{DEEDS:,} events of one person")
        _store(graph, [_event(f"d{n}", "c_busy", f"i-{n % 5_000}") for n in range(DEEDS)])
        _time(graph, [_event(f"w{n}", "c_warm", f"warm-{n % 50}") for n in range(MORE // 5)])
        report(f"{MORE:,} more each")
        sparse = _time(graph, [_event(f"s{n}", "c_quiet", f"q-{n % 50}") for n in range(MORE)])
        yield Figure("write to a quiet pair, p95", sparse, "ms")
        item = _time(graph, [_event(f"x{n}", f"c_{n}", "best-seller") for n in range(MORE)])
        yield _beside("write to the best-seller, p95", item, sparse)
        person = _time(graph, [_event(f"y{n}", "c_busy", f"q-{n % 50}") for n in range(MORE)])
        yield _beside("write to the busy person, p95", person, sparse)


def _beside(name: str, value: float, sparse: float) -> Figure:
    detail = f"{value / sparse:.2f} times the quiet pair"
    return Figure(name, value, "ms", round(sparse * MOST_TIMES, 2), Bar.AT_MOST, detail)


def _event(event_id: str, user_id: str, item_id: str) -> Event:
    return Event(
        event_id=EventId(event_id),
        type=EventType.VIEW,
        user_id=UserId(user_id),
        ts=NOW_MS,
        received_ts=NOW_MS,
        source="benchmark",
        item_id=ItemId(item_id),
    )


def _store(graph: Graph, made: Sequence[Event]) -> None:
    for start in range(0, len(made), BATCH):
        graph.write(events.record, made[start : start + BATCH])


def _time(graph: Graph, made: Sequence[Event]) -> float:
    """The time that 95 % of single writes stay under, in milliseconds."""
    took = []
    for event in made:
        began = time.perf_counter()
        graph.write(events.record, [event])
        took.append((time.perf_counter() - began) * 1e3)
    return float(np.percentile(took, 95))


@contextmanager
def _graph() -> Iterator[Graph]:
    how = Starting(started_by="shopgraph benchmark", ends_with_parent=True, for_tests=True)
    with tempfile.TemporaryDirectory(prefix="shopgraph-benchmark-") as folder:
        start_local(Path(folder), Ports.free(), how)
        try:
            graph = Graph(GraphSettings(uri=environment(Path(folder))["NEO4J_URI"]))
            migrations.apply(graph, owner="benchmark", now_ms=NOW_MS)
            yield graph
            graph.close()
        finally:
            stop_local(Path(folder))

"""How fast edges come out of the graph as arrays."""

import time
from collections.abc import Callable, Iterator

from graph import pulls
from graph.client import Graph
from graph.domain.events import EventType
from workers.benchmarks.figures import Bar, Figure

MILLION = 1_000_000
PAGE = 100_000


def pull_figures(graph: Graph, report: Callable[[str], None]) -> Iterator[Figure]:
    """
    Measure a full pull of the purchases in the graph, and one of the newest 50,000.

    Args:
        report: told what is being measured.
    """
    upper = graph.read(pulls.last_seq)
    report("all purchases")
    edges, seconds = _pull(graph, 0, upper)
    yield Figure("purchases in the graph", edges, "edges")
    if edges:
        million = seconds * MILLION / edges
        detail = f"{edges / seconds:,.0f} edges/s"
        yield Figure("pull of 1 M edges", million, "s", 6, Bar.AT_MOST, detail)
    report("the newest")
    edges, seconds = _pull(graph, max(upper - 50_000, 0), upper)
    yield Figure("pull of the newest", seconds, "s", 1, Bar.AT_MOST, f"{edges:,} edges")


def _pull(graph: Graph, after: int, upper: int) -> tuple[int, float]:
    edges, began = 0, time.perf_counter()
    while True:
        page = graph.read(pulls.edges, EventType.PURCHASE, after=after, upper=upper, page=PAGE)
        edges += page.n
        if page.n == 0:
            return edges, time.perf_counter() - began
        after = page.last

"""Everything at once for a while: what is told, asked, refreshed and trained, and what it costs."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException

import numpy as np
import psutil

from graph import training_runs
from graph.domain.ids import RunId
from graph.domain.models import RunState
from workers import runs
from workers.benchmarks.changing import SHORT, Asking, asking, served_shop
from workers.benchmarks.figures import Bar, Figure
from workers.benchmarks.footprint import MIB, kind_of
from workers.benchmarks.load import Target
from workers.benchmarks.stack import Stack
from workers.jobs import Jobs

BATCH, PAUSE_S = 50, 0.1
"""Events of one request, and the rest between two."""

REFRESH_S, LOOK_S = 60.0, 5.0
GROWTH = 10.0
"""Per cent that memory may have grown from the second quarter to the last: noise, not a leak."""


@dataclass
class Telling:
    """What one thread told."""

    accepted: int = 0
    failures: int = 0


@dataclass
class Memory:
    """MiB by kind of process, one number per look."""

    seen: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def look(self) -> None:
        """Add what is resident now."""
        now: defaultdict[str, float] = defaultdict(float)
        for process in psutil.Process().children(recursive=True):
            try:
                now[kind_of(process)] += process.memory_info().rss / MIB
            except psutil.Error:  # it has just ended
                continue
        for kind, mib in now.items():
            self.seen[kind].append(mib)

    def growth(self, kind: str) -> tuple[float, float, float]:
        """Mean MiB of the second and of the last quarter of the looks, and per cent between."""
        looks = self.seen[kind]
        quarter = max(len(looks) // 4, 1)
        early = float(np.median(looks[quarter : 2 * quarter] or looks))
        late = float(np.median(looks[-quarter:]))
        return early, late, 100 * (late - early) / early


def soak_figures(minutes: float, report: Callable[[str], None]) -> Iterator[Figure]:
    """
    Tell, ask and refresh all the time, train once in the middle, on servers of its own.

    Args:
        report: told what is being done.
    """
    with served_shop(report) as (stack, people, items):
        telling, memory, stop = Telling(), Memory(), threading.Event()
        teller = threading.Thread(
            target=_tell, args=(stack.target, people, items, telling, stop), daemon=True
        )
        report(f"{minutes:g} minutes of everything at once")
        teller.start()
        with asking(stack.target, people) as asked:
            trained = _live_on(stack, memory, minutes * 60)
        stop.set()
        teller.join()
        yield from _came_to(asked, telling, memory, minutes)
        yield from _trained(stack, trained)


def _live_on(stack: Stack, memory: Memory, seconds: float) -> RunId | None:
    """Refresh every minute, train in the middle, and look at the memory."""
    jobs, began, trained = Jobs(stack.redis_url), time.monotonic(), None
    refreshed = began
    while (now := time.monotonic()) - began < seconds:
        memory.look()
        if now - refreshed >= REFRESH_S:
            jobs.refresh()
            refreshed = now
        if trained is None and now - began > seconds / 2:
            options = {**SHORT, "force": True}
            trained = runs.request(stack.graph, jobs, profile="paper", options=options)[0].run_id
        time.sleep(LOOK_S)
    return trained


def _trained(stack: Stack, run_id: RunId | None) -> Iterator[Figure]:
    """Whether the training in the middle came to an end, and to which."""
    if run_id is not None:
        run = stack.graph.read(training_runs.get, run_id)
        detail = run.error or f"{run.state.value}, at {run.stage}"
        has_ended = float(run.state is RunState.FINISHED)
        yield Figure("trainings that ended well", has_ended, "", 1, Bar.AT_LEAST, detail)


def _tell(
    target: Target, people: list[str], items: list[str], told: Telling, stop: threading.Event
) -> None:
    rng, connection = np.random.default_rng(1), HTTPConnection(target.host, target.port, timeout=10)
    number = 0
    while not stop.is_set():
        rows = [
            {
                "event_id": f"soak-{number + k}",
                "event_time": datetime.now(UTC).isoformat(),
                "event_type": "view",
                "user_id": people[int(rng.integers(len(people)))],
                "item_id": items[int(rng.integers(len(items)))],
            }
            for k in range(BATCH)
        ]
        number += BATCH
        headers = {"X-API-Key": target.key, "Content-Type": "application/json"}
        try:
            connection.request("POST", "/v1/events", json.dumps(rows), headers)
            told.accepted += json.load(connection.getresponse())["accepted"]
        except (HTTPException, OSError, ValueError, KeyError):
            told.failures += 1
            connection.close()
        stop.wait(PAUSE_S)
    connection.close()


def _came_to(asked: Asking, told: Telling, memory: Memory, minutes: float) -> Iterator[Figure]:
    p50, p99 = np.percentile(asked.latencies_ms, [50, 99]).tolist()
    versions = {version for _, version, _ in asked.lists}
    detail = f"{len(versions)} versions; p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    yield Figure(f"lists in {minutes:g} minutes", len(asked.latencies_ms), "", detail=detail)
    yield Figure("events taken", told.accepted, "")
    yield Figure("failed requests", asked.failures + told.failures, "", 0, Bar.AT_MOST)
    for kind in sorted(memory.seen):
        early, late, growth = memory.growth(kind)
        detail = f"{early:,.0f} MiB, later {late:,.0f} MiB"
        # Valkey keeps ids for a day and lists for half an hour, so it grows that long.
        bar = GROWTH if kind in ("api", "ingest", "training worker") else None
        yield Figure(f"memory of {kind} grew", growth, "%", bar, Bar.AT_MOST, detail)

"""How fast events are taken in, stored and seen."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import orjson

from graph import counts
from workers.benchmarks.figures import Bar, Figure
from workers.benchmarks.load import Load, ask_once, run_load
from workers.benchmarks.stack import Stack, running_stack

BATCH = 100
USERS = 2_000
ITEMS = 5_000
SECONDS = 10.0
PREPARED = 400_000
PROBES = 40


def intake_figures(report: Callable[[str], None]) -> Iterator[Figure]:
    """
    Measure the door, the way into the graph and the time until an event is seen.

    Args:
        report: told what is being measured.
    """
    with running_stack(["api", "ingest"]) as stack:
        report("batches")
        batches = _post(stack, BATCH, connections=8)
        yield Figure(
            "accepted events, batches of 100",
            batches.per_second * BATCH,
            "events/s",
            30_000,
            detail=f"8 connections, fsynced, {batches.failures} failures",
        )
        report("drain")
        yield from _drain(stack, len(batches.latencies_ms) * BATCH)
        report("single events")
        yield from _singles(_post(stack, 1, connections=8))
        _wait_until_drained(stack)
        report("time until visible")
        yield from _visible(stack)


def _post(stack: Stack, size: int, *, connections: int) -> Load:
    # Made beforehand: the measurement is of the door, not of who knocks.
    made = [_body(number, size) for number in range(min(PREPARED // size, 20_000))]

    def request(number: int) -> bytes:
        body = made[number] if number < len(made) else _body(number, size)
        return stack.target.post("/v1/events", body)

    return run_load(
        stack.target, request, connections=connections, seconds=SECONDS, expected_status=202
    )


def _body(number: int, size: int) -> bytes:
    rng = np.random.default_rng([size, number])
    users = rng.integers(USERS, size=size).tolist()
    items = rng.integers(ITEMS, size=size).tolist()
    stamp = datetime.now(UTC).isoformat()
    rows = [
        _view(f"{size}-{number}-{at}", f"user-{users[at]}", f"item-{items[at]}", stamp)
        for at in range(size)
    ]
    return orjson.dumps(rows if size > 1 else rows[0])


def _view(event_id: str, user_id: str, item_id: str, stamp: str) -> dict[str, str]:
    return {
        "event_id": event_id,
        "event_type": "view",
        "user_id": user_id,
        "item_id": item_id,
        "event_time": stamp,
    }


def _drain(stack: Stack, sent: int) -> Iterator[Figure]:
    before, began = _stored(stack), time.perf_counter()
    _wait_until_drained(stack, sent)
    took = time.perf_counter() - began
    stored = _stored(stack)
    yield Figure(
        "stream to graph",
        (stored - before) / took,
        "events/s",
        12_000,
        detail=f"{stored - before:,} events drained after the posting had stopped",
    )
    yield Figure("lost or doubled", abs(stored - sent), "events", 0, Bar.AT_MOST)


def _singles(load: Load) -> Iterator[Figure]:
    yield Figure("single events", load.per_second, "events/s", 1_500, detail="8 connections")
    yield Figure("single event, median", load.percentile_ms(50), "ms", 5, Bar.AT_MOST)
    yield Figure("single event, p99", load.percentile_ms(99), "ms")


def _visible(stack: Stack) -> Iterator[Figure]:
    waits = []
    for probe in range(PROBES):
        row = _view(f"probe-{probe}", f"user-{probe}", "probe", datetime.now(UTC).isoformat())
        seen, began = _stored(stack), time.perf_counter()
        ask_once(stack.target, stack.target.post("/v1/events", orjson.dumps(row)))
        while _stored(stack) == seen:
            time.sleep(0.005)
        waits.append((time.perf_counter() - began) * 1e3)
    for percent, bar in ((50, None), (95, 1_000), (99, None)):
        value = float(np.percentile(waits, percent))
        yield Figure(f"posted to visible in the graph, p{percent}", value, "ms", bar, Bar.AT_MOST)


def _stored(stack: Stack) -> int:
    return stack.graph.read(counts.counts).relationships.get("VIEWED", 0)


def _wait_until_drained(stack: Stack, at_least: int = 0) -> None:
    until, last = time.monotonic() + 600, -1
    while time.monotonic() < until:
        stored = _stored(stack)
        if stored >= at_least and stored == last:
            return
        last = stored
        time.sleep(0.5)

"""How fast events are taken in, stored and seen, and whether each is there once."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import orjson

from graph import counts
from workers.benchmarks.figures import Bar, Figure, exponent
from workers.benchmarks.load import Load, ask_once, run_load
from workers.benchmarks.stack import Stack, running_stack

BATCH = 100
USERS = 2_000
ITEMS = 5_000
SECONDS = 10.0
PREPARED = 500_000
PROBES = 40
RESENT = 100
CONNECTIONS = 8
GROWTH = (20_000, 80_000, 320_000)
"""Numbers of events at which the cost of storing is compared: 1, 4 and 16 times."""


def intake_figures(report: Callable[[str], None]) -> Iterator[Figure]:
    """
    Measure the door, the way into the graph and the time until an event is seen.

    Args:
        report: told what is being measured.
    """
    with running_stack(["api"]) as stack:
        posts = _Posts(stack)
        report("batches, nothing else at work")
        load = posts.batches("alone")
        yield _accepted("accepted events, batches of 100", load, 30_000)
        report("single events, nothing else at work")
        yield from _singles(posts.singles("alone"))
        report("drain")
        with stack.running("ingest"):
            yield from _drain(stack, posts.sent)
            report("batches, while events are stored")
            yield _accepted("batches, while ingest runs", posts.batches("beside"))
            _wait_until_drained(stack, posts.sent)
            report("single events, while events are stored")
            yield _single_rate("singles, while ingest runs", posts.singles("beside"))
            _wait_until_drained(stack, posts.sent)
            report("time until visible")
            yield from _visible(stack, posts)
            report("losses and doubles")
            posts.again()
            _wait_until_drained(stack, posts.sent)
        yield from _exactness(stack, posts)


class _Posts:
    """What is sent to the door, and how many events of it were promised to be kept."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._first: list[bytes] = []
        self.sent = 0
        self.failures = 0

    def batches(self, name: str) -> Load:
        """Batches of 100 for some seconds."""
        return self._post(name, BATCH)

    def singles(self, name: str) -> Load:
        """Single events for some seconds."""
        return self._post(f"single-{name}", 1)

    def again(self) -> None:
        """Some of the first batches a second time, as a client does that heard no answer."""
        for body in self._first:
            ask_once(self._stack.target, self._stack.target.post("/v1/events", body))

    def probe(self, number: int) -> None:
        """One event that somebody waits for."""
        row = _view(f"probe-{number}", f"user-{number}", "probe", datetime.now(UTC).isoformat())
        target = self._stack.target
        ask_once(target, target.post("/v1/events", orjson.dumps(row)))
        self.sent += 1

    def _post(self, name: str, size: int) -> Load:
        # Made beforehand: the measurement is of the door, not of who knocks.
        made = [_body(name, number, size) for number in range(min(PREPARED // size, 20_000))]
        self._first = self._first or made[:RESENT]
        target = self._stack.target

        def request(number: int) -> bytes:
            body = made[number] if number < len(made) else _body(name, number, size)
            return target.post("/v1/events", body)

        load = run_load(
            target, request, connections=CONNECTIONS, seconds=SECONDS, expected_status=202
        )
        self.sent += (len(load.latencies_ms) - load.failures) * size
        self.failures += load.failures
        return load


def _accepted(name: str, load: Load, bar: float | None = None) -> Figure:
    detail = f"{CONNECTIONS} connections, fsynced, {load.failures} failures"
    return Figure(name, load.per_second * BATCH, "events/s", bar, detail=detail)


def _body(name: str, number: int, size: int) -> bytes:
    rng = np.random.default_rng([size, number])
    users = rng.integers(USERS, size=size).tolist()
    items = rng.integers(ITEMS, size=size).tolist()
    stamp = datetime.now(UTC).isoformat()
    rows = [
        _view(f"{name}-{number}-{at}", f"user-{users[at]}", f"item-{items[at]}", stamp)
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """How many events were stored at a moment."""

    at_s: float
    stored: int


def _drain(stack: Stack, sent: int) -> Iterator[Figure]:
    seen = _watch(stack, sent)
    stored = seen[-1].stored - seen[0].stored
    took = seen[-1].at_s - seen[0].at_s
    detail = f"{seen[-1].stored:,} events that had waited"
    yield Figure("stream to graph", stored / took, "events/s", 12_000, detail=detail)
    costs = [(n, _seconds_until(seen, n)) for n in GROWTH if n <= seen[-1].stored]
    if len(costs) > 1:
        spent = ", ".join(f"{n:,}: {seconds:.1f} s" for n, seconds in costs)
        yield Figure("growth of that cost", exponent(costs), "exponent", 1.1, Bar.AT_MOST, spent)


def _watch(stack: Stack, sent: int) -> list[_Seen]:
    """How the number of stored events grows, from just before the first one to the last."""
    seen = [_Seen(time.perf_counter(), _stored(stack))]
    until = time.monotonic() + 600
    while seen[-1].stored < sent and time.monotonic() < until:
        time.sleep(0.1)
        now = _Seen(time.perf_counter(), _stored(stack))
        if now.stored == 0:
            seen = [now]  # the process is still starting
        elif now.stored > seen[-1].stored:
            seen.append(now)
    return seen


def _seconds_until(seen: Sequence[_Seen], stored: int) -> float:
    times = [one.at_s - seen[0].at_s for one in seen]
    return float(np.interp(stored, [one.stored for one in seen], times))


def _single_rate(name: str, load: Load, bar: float | None = None) -> Figure:
    detail = f"{CONNECTIONS} connections, {load.failures} failures"
    return Figure(name, load.per_second, "events/s", bar, detail=detail)


def _singles(load: Load) -> Iterator[Figure]:
    yield _single_rate("single events", load, 1_500)
    yield Figure("single event, median", load.percentile_ms(50), "ms", 5, Bar.AT_MOST)
    yield Figure("single event, p99", load.percentile_ms(99), "ms")


def _visible(stack: Stack, posts: _Posts) -> Iterator[Figure]:
    waits = []
    for probe in range(PROBES):
        seen, began = _stored(stack), time.perf_counter()
        posts.probe(probe)
        while _stored(stack) == seen:
            time.sleep(0.005)
        waits.append((time.perf_counter() - began) * 1e3)
    for percent, bar in ((50, None), (95, 1_000), (99, None)):
        value = float(np.percentile(waits, percent))
        yield Figure(f"posted to visible in the graph, p{percent}", value, "ms", bar, Bar.AT_MOST)


def _exactness(stack: Stack, posts: _Posts) -> Iterator[Figure]:
    edges, facts = stack.graph.read(counts.views_and_facts)
    detail = f"{posts.sent:,} promised, {RESENT * BATCH:,} of them sent twice"
    yield Figure("lost", posts.sent - facts, "events", 0, Bar.AT_MOST, detail)
    yield Figure("doubled", edges - facts, "events", 0, Bar.AT_MOST, f"{edges:,} edges")
    yield Figure("refused requests", posts.failures, "requests", 0, Bar.AT_MOST)


def _stored(stack: Stack) -> int:
    return stack.graph.read(counts.counts).relationships.get("VIEWED", 0)


def _wait_until_drained(stack: Stack, at_least: int) -> None:
    until, last = time.monotonic() + 600, -1
    while time.monotonic() < until:
        stored = _stored(stack)
        if stored >= at_least and stored == last:
            return
        last = stored
        time.sleep(0.5)

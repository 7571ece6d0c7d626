"""Answers while everything changes: steps of shoppers, and models that take each other's place."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import Any

import numpy as np

from workers import runs
from workers.benchmarks.figures import Bar, Figure
from workers.benchmarks.load import Target
from workers.benchmarks.serving import load_shop, train, wait_until_served
from workers.benchmarks.stack import Stack, running_stack
from workers.benchmarks.training import made_up_log
from workers.jobs import Jobs

ITEMS, PEOPLE, EVENTS = 2_000, 500, 30_000
CONNECTIONS, REST_S = 8, 0.05
"""Those who ask beside, and how long each rests: a busy shop, not one that is pressed flat."""

STEPS = 100
VISIBLE_WITHIN_S = 1.0
SHORT = {"max_epochs": 3, "item2vec_epochs": 1, "bootstrap_draws": 10}
"""Each of many models need not be a good one; the seed makes them differ."""

Answer = tuple[tuple[str, float | None], ...]


@dataclass
class Asking:
    """
    What many threads were answered.

    Attributes:
        lists: hashes of the different lists that a person got of a model version under a level.
    """

    lists: defaultdict[tuple[str, str, str], set[int]] = field(
        default_factory=lambda: defaultdict(set)
    )
    latencies_ms: list[float] = field(default_factory=list)
    failures: int = 0


def changing_figures(swaps: int, report: Callable[[str], None]) -> Iterator[Figure]:
    """
    Freshness under load, then swaps under load, on servers of its own.

    Args:
        report: told what is being done.
    """
    with served_shop(report) as (stack, people, items):
        report(f"{STEPS} steps under load, each until the list of its shopper has changed")
        with asking(stack.target, people[: PEOPLE // 2]) as asked:
            seen = [_until_changed(stack.target, people[-1 - k], items[k]) for k in range(STEPS)]
        yield from _freshness(seen, asked)
        report(f"{swaps} swaps under load")
        with asking(stack.target, people[: PEOPLE // 2]) as asked:
            for number in range(swaps):
                _swap(stack, number)
        yield from _swapped(asked, swaps)


@contextmanager
def served_shop(
    report: Callable[[str], None],
) -> Iterator[tuple[Stack, list[str], list[str]]]:
    """A small made-up shop with a model that answers; its people and items by the shop's ids."""
    log = made_up_log(EVENTS, people=PEOPLE, goods=ITEMS)
    with running_stack(["api", "ingest", "training"]) as stack:
        report(f"load {EVENTS:,} events of {PEOPLE:,} people, {ITEMS:,} items, and train")
        load_shop(stack, log)
        wait_until_served(stack, train(stack, profile="paper", options=SHORT))
        people = [f"user-{number}" for number in range(PEOPLE)]
        yield stack, people, [str(item_id) for item_id in log.catalogue.item_ids]


def _swap(stack: Stack, number: int) -> None:
    """A model of another seed takes the place of the last one."""
    options = {**SHORT, "seed": 100 + number, "force": True}
    run, _ = runs.request(stack.graph, Jobs(stack.redis_url), profile="paper", options=options)
    runs.follow(stack.graph, run.run_id, tell=lambda _: None)
    time.sleep(3.0)  # every process looks at the pointer every two seconds


def _freshness(seen: Sequence[float], asked: Asking) -> Iterator[Figure]:
    p50, p95 = np.percentile(seen, [50, 95]).tolist()
    detail = f"{len(seen)} steps, {len(asked.latencies_ms):,} answers beside them"
    yield Figure("event to changed list, p50", p50 * 1e3, "ms", detail=detail)
    bar = VISIBLE_WITHIN_S * 1e3
    yield Figure("event to changed list, p95", p95 * 1e3, "ms", bar, Bar.AT_MOST)


def _swapped(asked: Asking, swaps: int) -> Iterator[Figure]:
    versions = {version for _, version, _ in asked.lists}
    # Nobody did anything meanwhile, so each version has one list for each person. A process that
    # sees the pointer move before it has loaded the next model answers by the session, and says so.
    mixed = sum(len(found) - 1 for found in asked.lists.values())
    p50, p99 = np.percentile(asked.latencies_ms, [50, 99]).tolist()
    detail = f"{len(versions)} versions answered; p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    yield Figure(f"answers during {swaps} swaps", len(asked.latencies_ms), "", detail=detail)
    yield Figure("failed requests", asked.failures, "", 0, Bar.AT_MOST)
    yield Figure("answers that mix versions", mixed, "", 0, Bar.AT_MOST)


@contextmanager
def asking(target: Target, people: Sequence[str]) -> Iterator[Asking]:
    """Ask for lists over some connections until the block ends."""
    found, stop = Asking(), threading.Event()
    threads = [
        threading.Thread(target=_ask_on, args=(target, people, k, found, stop), daemon=True)
        for k in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _ask_on(
    target: Target, people: Sequence[str], first: int, found: Asking, stop: threading.Event
) -> None:
    connection, number = HTTPConnection(target.host, target.port, timeout=10), first
    while not stop.is_set():
        person, began = people[number % len(people)], time.perf_counter()
        number += CONNECTIONS
        try:
            told = _list(connection, target, person)
        except (HTTPException, OSError, ValueError):
            found.failures += 1
            connection.close()
            continue
        found.latencies_ms.append((time.perf_counter() - began) * 1e3)
        found.lists[person, str(told["model_version"]), str(told["level"])].add(hash(_places(told)))
        stop.wait(REST_S)
    connection.close()


def _list(connection: HTTPConnection, target: Target, person: str) -> dict[str, Any]:
    """Raises ``ValueError`` where the answer is none."""
    path = f"/v1/recommendations?limit=10&user_id={person}"
    connection.request("GET", path, headers={"X-API-Key": target.key})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise ValueError(f"status {answer.status}")
    told: dict[str, Any] = json.loads(body)
    return told


def _places(told: dict[str, Any]) -> Answer:
    return tuple((place["item_id"], place["score"]) for place in told["items"])


def _until_changed(target: Target, person: str, item_id: str) -> float:
    """Seconds from the moment a step is sent until the person's list is another one."""
    connection = HTTPConnection(target.host, target.port, timeout=10)
    before = _places(_list(connection, target, person))
    step = {
        "event_id": f"fresh-{person}-{time.time_ns()}",
        "event_time": datetime.now(UTC).isoformat(),
        "event_type": "cart",
        "user_id": person,
        "item_id": item_id,
    }
    began = time.perf_counter()
    headers = {"X-API-Key": target.key, "Content-Type": "application/json"}
    connection.request("POST", "/v1/events", json.dumps(step), headers)
    connection.getresponse().read()
    while _places(_list(connection, target, person)) == before:
        if time.perf_counter() - began > 30:
            raise TimeoutError(f"the list of {person} did not change within 30 s")
    took = time.perf_counter() - began
    connection.close()
    return took

"""The end of a real log lived through again: asked before each visit, told after it."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.domain.events import EventType
from ml.dataset import Interactions
from ml.evaluation.bootstrap import mean_interval, paired_mean_difference
from ml.serving import ServingModel
from workers.benchmarks.figures import Bar, Figure
from workers.benchmarks.load import Target
from workers.benchmarks.recall import past, vectors
from workers.benchmarks.serving import KIND_OF, load_shop, train, wait_until_served
from workers.benchmarks.stack import Stack, running_stack
from workers.intake.changes import CatalogueChanges
from workers.intake.stream import EventStream
from workers.jobs import Jobs

LIVED = 0.9
"""Of the events, which are known when the model learns."""

LIST = 20
DRAWS = 1_000
REFRESHES = 10
"""Refreshes of stored vectors during the replay, evenly spaced."""

BATCH = 100
LATE_MS = 60_000
"""The newest event lies so long before the moment of loading."""

Hits = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Question:
    """
    A visit that is asked about just before it begins.

    Attributes:
        at: the first of its events in the log.
        items: what the person did something with on that visit.
    """

    at: int
    user: int
    items: frozenset[str]


@dataclass
class Lived:
    """What was answered, question by question."""

    hits: list[float] = field(default_factory=list)
    popular: list[float] = field(default_factory=list)
    lists: list[list[str]] = field(default_factory=list)


def replay_figures(
    log: Interactions,
    questions: int,
    report: Callable[[str], None],
    *,
    options: Mapping[str, object] | None = None,
) -> Iterator[Figure]:
    """
    Load nine tenths of a log, train, and live through the rest by the API, twice.

    Args:
        log: real behaviour, oldest first.
        questions: how many visits are asked about.
        report: told what is being done.
        options: of the training run, for small logs.
    """
    known = _rows(log, slice(0, int(LIVED * len(log))))
    asked = visits(log, len(known), questions)
    owner = np.array([one.user for one in asked])
    found: dict[bool, Lived] = {}
    offline: Hits = np.zeros(0)
    for refreshing in (False, True):
        with running_stack(["api", "ingest", "training"]) as stack:
            report(f"load {len(known):,} events and train")
            shift = time.time_ns() // 1_000_000 - LATE_MS - int(log.ts[-1])
            load_shop(stack, known, shift)
            version = train(stack, options=options)
            wait_until_served(stack, version)
            told = "with" if refreshing else "without"
            report(f"live through {len(log) - len(known):,} events {told} refresh")
            found[refreshing] = _live(stack, log, asked, len(known), shift, refreshing)
            if not refreshing:
                report("answer the same questions from the files of the model")
                offline = _offline(stack, version, log, asked, shift)
    yield from _compared(found, offline, owner)


def visits(log: Interactions, begin: int, most: int) -> list[Question]:
    """Evenly spaced visits of the rest of a log; events of a person at one moment are one visit."""
    key = np.stack([log.user[begin:], log.ts[begin:]], axis=1)
    _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
    chosen = np.sort(first)[:: max(len(first) // most, 1)][:most]
    ids = log.catalogue.item_ids
    place = np.searchsorted(np.sort(first), chosen)
    order = np.argsort(which.ravel(), kind="stable")
    edges = np.append(np.searchsorted(which.ravel()[order], np.arange(len(first))), len(order))
    by_first = np.argsort(first, kind="stable")
    found = []
    for at, spot in zip(chosen.tolist(), by_first[place].tolist(), strict=True):
        rows = begin + order[edges[spot] : edges[spot + 1]]
        items = frozenset(ids[item] for item in log.item[rows].tolist())
        found.append(Question(begin + at, int(log.user[begin + at]), items))
    return found


def _live(
    stack: Stack,
    log: Interactions,
    asked: Sequence[Question],
    begin: int,
    shift: int,
    refreshing: bool,
) -> Lived:
    """Tell what happened up to each question, ask, go on."""
    lived, connection = Lived(), HTTPConnection(stack.target.host, stack.target.port, timeout=30)
    stream = EventStream(stack.redis_url)
    every = max(len(asked) // REFRESHES, 1)
    edges = [begin, *(one.at for one in asked)]
    for number, (one, (since, until)) in enumerate(zip(asked, pairwise(edges), strict=True)):
        _tell(connection, stack.target, log, range(since, until), shift)
        _settled(stream)
        if refreshing and number % every == every - 1:
            _refresh(stack)
        path = f"/v1/recommendations?limit={LIST}&user_id=user-{one.user}"
        lived.lists.append(_places(connection, stack.target, path))
        lived.hits.append(float(bool(one.items.intersection(lived.lists[-1]))))
        popular = _places(connection, stack.target, f"/v1/popular-items?limit={LIST}")
        lived.popular.append(float(bool(one.items.intersection(popular))))
    connection.close()
    return lived


def _tell(
    connection: HTTPConnection, target: Target, log: Interactions, rows: range, shift: int
) -> None:
    for start in range(rows.start, rows.stop, BATCH):
        part = range(start, min(start + BATCH, rows.stop))
        body = json.dumps([_event(log, row, shift) for row in part])
        headers = {"X-API-Key": target.key, "Content-Type": "application/json"}
        connection.request("POST", "/v1/events", body, headers)
        answer = connection.getresponse()
        told = json.load(answer)
        if answer.status != 202 or told["accepted"] != len(part):
            raise RuntimeError(f"events were refused: {told}")


def _event(log: Interactions, row: int, shift: int) -> dict[str, Any]:
    kind = KIND_OF[int(log.code[row])]
    event: dict[str, Any] = {
        "event_id": f"replayed-{row}",
        "event_type": kind.value,
        "user_id": f"user-{log.user[row]}",
        "item_id": log.catalogue.item_ids[log.item[row]],
        "event_time": datetime.fromtimestamp((log.ts[row] + shift) / 1e3, UTC).isoformat(),
    }
    if kind is EventType.PURCHASE:
        event["order_id"] = f"replayed-{row}"
    return event


def _settled(stream: EventStream) -> None:
    """Until what was told is in the graph, and so in every answer."""
    until = time.monotonic() + 60
    while stream.depth():
        if time.monotonic() > until:
            raise TimeoutError("the events did not reach the graph within a minute")
        time.sleep(0.005)


def _refresh(stack: Stack) -> None:
    changes = CatalogueChanges(stack.redis_url)
    before, until = changes.stamp().vectors, time.monotonic() + 300
    Jobs(stack.redis_url).refresh()
    while changes.stamp().vectors == before:
        if time.monotonic() > until:
            raise TimeoutError("the refresh did not end within five minutes")
        time.sleep(0.1)


def _places(connection: HTTPConnection, target: Target, path: str) -> list[str]:
    connection.request("GET", path, headers={"X-API-Key": target.key})
    told = json.load(connection.getresponse())
    return [place["item_id"] for place in told["items"]]


def _offline(
    stack: Stack, version: str, log: Interactions, asked: Sequence[Question], shift: int
) -> Hits:
    """The same questions, answered by the files of the model and the stored vectors alone."""
    model = ServingModel.load(stack.home / "models" / version)
    by_user = np.argsort(log.user, kind="stable")
    sorted_user = log.user[by_user]
    hits = []
    stored = vectors(stack.graph, stack.pseudonyms, [one.user for one in asked])
    for one, vector in zip(asked, stored, strict=True):
        own = by_user[np.searchsorted(sorted_user, one.user) :][: np.sum(log.user == one.user)]
        history = past(log, own[own < one.at], model.window_days, shift)
        now = max(model.as_of_ms, *history.ts)
        if vector is not None and history.ts:
            scores: Any = model.score(vector, history, now_ms=now, is_short=True)
        elif history.ts:
            scores = model.session(history, now)
        else:
            scores = model.newcomers()
        shown = {item_id for item_id, _ in model.top(scores, LIST)}
        hits.append(float(bool(one.items & shown)))
    return np.array(hits)


def _compared(found: dict[bool, Lived], offline: Hits, owner: NDArray[Any]) -> Iterator[Figure]:
    rng = np.random.default_rng(0)
    live, renewed = (np.array(found[key].hits) for key in (False, True))
    popular = np.array(found[False].popular)
    for name, hits in (
        ("live, without refresh", live),
        ("live, with refresh", renewed),
        ("popular items", popular),
        ("offline, by the model's files", offline),
    ):
        one = mean_interval(hits, owner, draws=DRAWS, rng=rng)
        detail = f"[{100 * one.low:.2f}, {100 * one.high:.2f}], {len(hits):,} visits"
        yield Figure(f"hit@{LIST}, {name}", 100 * one.value, "%", detail=detail)
    for name, first, second in (
        ("live over popular items", live, popular),
        ("refresh over none", renewed, live),
    ):
        gain = paired_mean_difference(first, second, owner, draws=DRAWS, rng=rng)
        detail = f"[{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"
        yield Figure(f"hit@{LIST}, {name}", 100 * gain.difference, "points", detail=detail)
    whole = mean_interval(live, owner, draws=DRAWS, rng=rng)
    apart = 100 * abs(float(live.mean() - offline.mean()))
    width = 100 * (whole.high - whole.low) / 2
    yield Figure("live from offline", apart, "points", width, Bar.AT_MOST, "bar: half the interval")


def _rows(log: Interactions, part: slice) -> Interactions:
    names = ("user", "item", "code", "ts", "price")
    return replace(log, **{name: getattr(log, name)[part] for name in names})

"""From a loaded shop of a given size to every person served, and how fast it answers then."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from itertools import islice

from graph import counts, items
from graph.domain.catalogue import Item
from graph.domain.events import ITEM_BEHAVIOURS, Event
from graph.domain.ids import EventId, ItemId
from ml.dataset import Interactions
from ml.serving import ServingModel
from workers import runs
from workers.benchmarks.answers import answer_figures, questions
from workers.benchmarks.figures import Bar, Figure
from workers.benchmarks.footprint import peak_memory_mib
from workers.benchmarks.recall import recall_figures, vectors
from workers.benchmarks.stack import Stack, running_stack
from workers.benchmarks.training import made_up_log
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.stream import EventStream
from workers.jobs import Jobs
from workers.local import free_port

CHUNK = 10_000
ASKED = 2_000
"""People and items that are asked about."""

PEOPLE_COMPARED = 100
SERVED_WITHIN_S = 600
STARTED_WITHIN_S = 2
START_WAIT_S = 120.0
MOST_MIB = 4_096
WAIT_S = 3_600.0
SERVED_WAIT_S = 120.0

KIND_OF = {behaviour.code: kind for kind, behaviour in ITEM_BEHAVIOURS.items()}


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of what."""

    items: int
    users: int
    events: int


def serving_figures(size: Size, report: Callable[[str], None]) -> Iterator[Figure]:
    """
    Load a made-up shop, train, and ask, on servers of its own.

    Args:
        report: told what is being done.
    """
    log = made_up_log(size.events, people=size.users, goods=size.items)
    shift = until_now(log)
    with running_stack(["api", "ingest", "training"]) as stack:
        report(f"load {size.events:,} events of {size.users:,} people, {size.items:,} items")
        began = time.perf_counter()
        load_shop(stack, log, shift)
        yield Figure("load", size.events / (time.perf_counter() - began), "events/s")
        report("train until everybody is served")
        began = time.perf_counter()
        version = train(stack)
        wait_until_served(stack, version)
        seconds = time.perf_counter() - began
        yield Figure(
            "from loaded data to every user served", seconds, "s", SERVED_WITHIN_S, Bar.AT_MOST
        )
        people = [f"user-{number}" for number in range(min(size.users, ASKED))]
        goods = [str(item_id) for item_id in log.catalogue.item_ids[:ASKED]]
        yield from answer_figures(stack.target, questions(people, goods), report)
        report("compare with what the model answers exactly")
        yield from _recall(stack, version, log, shift)
        yield Figure(
            "one more process of the API, from nothing to serving this model",
            _start_s(stack, version),
            "s",
            STARTED_WITHIN_S,
            Bar.AT_MOST,
        )
        for kind, mib in peak_memory_mib().items():
            bar = MOST_MIB if kind == "training worker" else None
            yield Figure(f"memory of {kind}, peak", mib, "MiB", bar, Bar.AT_MOST)


def _start_s(stack: Stack, version: str) -> float:
    """Seconds until a process that begins now says that it is ready, with the model."""
    port, began = free_port(), time.perf_counter()
    with stack.running("api", GRANIAN_PORT=str(port), GRANIAN_WORKERS="1"):
        while time.perf_counter() - began < START_WAIT_S:
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            with suppress(OSError), closing(connection):
                connection.request("GET", "/readyz")
                told = json.load(connection.getresponse())
                if told["ready"] and told["checks"]["model"]["detail"] == version:
                    return time.perf_counter() - began
            time.sleep(0.02)
    raise TimeoutError("the process did not serve the model in time")


def _recall(stack: Stack, version: str, log: Interactions, shift: int) -> Iterator[Figure]:
    model = ServingModel.load(stack.home / "models" / version)
    people = range(min(PEOPLE_COMPARED, log.n_users))
    stored = list(vectors(stack.graph, stack.pseudonyms, people))
    yield from recall_figures(model, replace(log, ts=log.ts + shift), stored)


def until_now(log: Interactions) -> int:
    """What to add to all times of a log for its last event to have been a second ago."""
    return time.time_ns() // 1_000_000 - 1_000 - int(log.ts[-1])


def load_shop(stack: Stack, log: Interactions, shift: int | None = None) -> None:
    """
    Catalogue and events by the ways of a shop: the graph has them when this ends.

    Args:
        shift: is added to all times; without it the last event was a second ago.
    """
    if shift is None:
        shift = until_now(log)
    names, catalogue = log.catalogue.category_names, log.catalogue
    told = [
        Item(
            item_id=ItemId(item_id),
            categories=(names[category],) if category >= 0 else (),
            price_minor=100 + max(category, 0),
            currency="EUR",
        )
        for item_id, category in zip(catalogue.item_ids, catalogue.category.tolist(), strict=True)
    ]
    for start in range(0, len(told), CHUNK):
        stack.graph.write(items.upsert, told[start : start + CHUNK], now_ms=1)
    stream = EventStream(stack.redis_url, max_backlog_bytes=1 << 40)
    made = _events(log, stack.pseudonyms, shift)
    while chunk := list(islice(made, CHUNK)):
        stream.append(chunk)
    _wait_until_stored(stack, len(log))


def _events(log: Interactions, pseudonyms: Pseudonyms, shift: int) -> Iterator[Event]:
    """As the door makes them."""
    known = [pseudonyms.customer(f"user-{number}") for number in range(log.n_users)]
    columns = zip(
        log.user.tolist(), log.item.tolist(), log.code.tolist(), log.ts.tolist(), strict=True
    )
    for number, (user, item, code, ts) in enumerate(columns):
        user_id, ref = known[user]
        yield Event(
            event_id=EventId(f"made-up|{number}"),
            type=KIND_OF[code],
            user_id=user_id,
            user_ref=ref,
            ts=ts + shift,
            received_ts=ts + shift,
            source="made-up",
            item_id=ItemId(log.catalogue.item_ids[item]),
            order_id=f"o-{number}" if KIND_OF[code].value == "purchase" else None,
        )


def _wait_until_stored(stack: Stack, events: int) -> None:
    until = time.monotonic() + WAIT_S
    names = [behaviour.relationship for behaviour in ITEM_BEHAVIOURS.values()]
    while time.monotonic() < until:
        found = stack.graph.read(counts.counts).relationships
        if sum(found.get(name, 0) for name in names) >= events:
            return
        time.sleep(0.5)
    raise TimeoutError("the events did not reach the graph in time")


def train(
    stack: Stack, profile: str = "fusion", options: Mapping[str, object] | None = None
) -> str:
    """Train to the end; the version that is live then."""
    jobs = Jobs(stack.redis_url)
    run, _ = runs.request(stack.graph, jobs, profile=profile, options=options or {})
    ended = runs.follow(stack.graph, run.run_id, tell=lambda _: None)
    return str(ended.model_version)


def wait_until_served(stack: Stack, version: str) -> None:
    """
    Until each process of the API answers a person by the new model.

    Raises:
        TimeoutError: one does not.
    """
    until, in_a_row = time.monotonic() + SERVED_WAIT_S, 0
    while in_a_row < 10:
        if time.monotonic() > until:
            raise TimeoutError("the new model did not answer in time")
        in_a_row = in_a_row + 1 if _answering(stack) == version else 0
        time.sleep(0.1)


def _answering(stack: Stack) -> str | None:
    """The model that answers a person now; on a connection of its own, so by any process."""
    target = stack.target
    connection = HTTPConnection(target.host, target.port, timeout=10)
    with suppress(TimeoutError), closing(connection):
        path = "/v1/recommendations?limit=1&user_id=user-0"
        connection.request("GET", path, headers={"X-API-Key": target.key})
        found: str | None = json.load(connection.getresponse())["model_version"]
        return found
    return None

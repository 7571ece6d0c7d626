"""How fast the running API answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from urllib.parse import quote

import orjson

from workers.benchmarks.figures import Bar, Figure
from workers.benchmarks.load import Load, Target, run_load

SECONDS = 5.0
CONNECTIONS = (1, 8, 32)

AGAIN = 500
"""People and items that are asked about "as before"."""

BEFORE = 6 * AGAIN
"""After so many, nearly every process has met each of them."""


Ask = Callable[[Target, int], bytes]
"""Makes the bytes of the n-th request."""


@dataclass(frozen=True, slots=True)
class Question:
    """
    A kind of request, how the n-th of it is asked, and the rate to hold at 8 connections.

    Attributes:
        before: so many requests are asked before the clock starts.
    """

    name: str
    request: Ask
    bar: float | None = None
    before: int = 0


def questions(people: Sequence[str], items: Sequence[str]) -> list[Question]:
    """
    What a storefront asks.

    "As before" is asked again and again by the same few hundred people, of whom nothing has
    changed, and was asked before the clock starts; "made anew" leaves out another item each time,
    so no kept answer fits.

    Args:
        people: the shop's own ids of customers with a history.
        items: ids of items with events.
    """
    strangers = [f"stranger-{number}" for number in range(10_000)]
    people_again, items_again = people[:AGAIN], items[:AGAIN]
    lists, near = "/v1/recommendations?limit=20", "/v1/similar-items?limit=20&item_id="
    return [
        Question("personal, as before", _of(f"{lists}&user_id=", people_again), 3_000, BEFORE),
        Question("personal, made anew", _anew(f"{lists}&user_id=", people), 600),
        Question("unknown user", _of(f"{lists}&anonymous_id=", strangers), 3_000),
        Question("session told with the question", _session(items)),
        Question("a list of 100 ranked for a person", _ranked(people, items)),
        Question("similar items, as before", _of(near, items_again), 4_000, BEFORE),
        Question("similar items, made anew", _anew(near, items)),
        Question("popular items", _of("/v1/popular-items?limit=", ["20"]), 4_000),
    ]


def _of(path: str, ids: Sequence[str]) -> Ask:
    def ask(target: Target, number: int) -> bytes:
        return target.get(path + quote(ids[number % len(ids)], safe=""))

    return ask


def _anew(path: str, ids: Sequence[str]) -> Ask:
    # Goes on from one load to the next: what the last one asked is kept.
    numbers = count()

    def ask(target: Target, _: int) -> bytes:
        number = next(numbers)
        one = quote(ids[number % len(ids)], safe="")
        return target.get(f"{path}{one}&exclude=nothing-{number}")

    return ask


def _session(items: Sequence[str]) -> Ask:
    def ask(target: Target, number: int) -> bytes:
        steps = [
            {"event_type": "view", "item_id": items[(number * 7 + step) % len(items)]}
            for step in range(3)
        ]
        return target.post("/v1/recommendations", orjson.dumps({"limit": 20, "events": steps}))

    return ask


def _ranked(people: Sequence[str], items: Sequence[str]) -> Ask:
    def ask(target: Target, number: int) -> bytes:
        sent = [items[(number * 13 + place) % len(items)] for place in range(min(100, len(items)))]
        body = {"user_id": people[number % len(people)], "limit": 20, "candidates": sent}
        return target.post("/v1/recommendations", orjson.dumps(body))

    return ask


def answer_figures(
    target: Target, asked: Sequence[Question], report: Callable[[str], None]
) -> Iterator[Figure]:
    """
    Measure every question at 1, 8 and 32 connections.

    Args:
        report: told what is being measured.
    """
    for question in asked:
        request = partial(question.request, target)
        if question.before:
            report(f"{question.name}, before the clock starts")
            run_load(target, request, connections=8, seconds=60, most=question.before)
        for connections in CONNECTIONS:
            report(f"{question.name}, {connections} connections")
            load = run_load(target, request, connections=connections, seconds=SECONDS)
            yield _figure(question, connections, load)


def _figure(question: Question, connections: int, load: Load) -> Figure:
    detail = (
        f"p50 {load.percentile_ms(50):.1f} ms, p95 {load.percentile_ms(95):.1f} ms, "
        f"p99 {load.percentile_ms(99):.1f} ms, {load.failures} failures"
    )
    bar = question.bar if connections == 8 else None
    name = f"{question.name}, {connections} connections"
    return Figure(name, load.per_second, "requests/s", bar, Bar.AT_LEAST, detail)

"""How fast the running API answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from workers.benchmarks.figures import Bar, Figure
from workers.benchmarks.load import Load, Target, run_load

SECONDS = 5.0
CONNECTIONS = (1, 8, 32)


@dataclass(frozen=True, slots=True)
class Question:
    """A kind of request, the ids it is asked with, and the rate to hold at 8 connections."""

    name: str
    path: str
    ids: Sequence[str]
    bar: float | None = None

    def request(self, target: Target, number: int) -> bytes:
        """The bytes of the n-th request of this kind."""
        return target.get(self.path + quote(self.ids[number % len(self.ids)], safe=""))


def questions(people: Sequence[str], items: Sequence[str]) -> list[Question]:
    """
    What a storefront asks.

    Args:
        people: the shop's own ids of customers with a history.
        items: ids of items with events.
    """
    strangers = [f"stranger-{number}" for number in range(10_000)]
    return [
        Question("personal", "/v1/recommendations?limit=20&user_id=", people, 600),
        Question("unknown user", "/v1/recommendations?limit=20&user_id=", strangers, 3_000),
        Question("similar items", "/v1/similar-items?limit=20&item_id=", items, 4_000),
        Question("popular items", "/v1/popular-items?limit=", ["20"], 4_000),
    ]


def answer_figures(
    target: Target, asked: Sequence[Question], report: Callable[[str], None]
) -> Iterator[Figure]:
    """
    Measure every question at 1, 8 and 32 connections.

    Args:
        report: told what is being measured.
    """
    for question in asked:
        for connections in CONNECTIONS:
            report(f"{question.name}, {connections} connections")

            def request(number: int, question: Question = question) -> bytes:
                return question.request(target, number)

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

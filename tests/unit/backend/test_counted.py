"""What is popular without a model is counted as seldom as can be."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from backend.counted import PopularCount
from graph import items
from tests.factories import FakeGraph


class Counting:
    """
    A graph that takes its time to count, by a clock that only it moves.

    Attributes:
        while_counting: is called in the middle of each count.
    """

    def __init__(self, takes_ms: int = 0) -> None:
        self.now, self.counts, self.takes_ms = 0, 0, takes_ms
        self.while_counting: Callable[[], object] = lambda: None
        graph = FakeGraph({items.popular: self._count})
        self.popular = PopularCount(graph, now_ms=lambda: self.now, window_ms=1)
        self.graph = graph

    def _count(self, **_: Any) -> list[tuple[str, float]]:
        self.counts += 1
        self.now += self.takes_ms
        self.while_counting()
        return [(f"count-{self.counts}", 1.0)]

    def told(self) -> str:
        """The first item of the list."""
        (first, _), *_ = self.popular.top(None)[0]
        return first


def beside(ask: Callable[[], str]) -> str:
    """Ask from another thread, which must not wait."""
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(ask()), daemon=True)
    thread.start()
    thread.join(5)
    return told[0] if told else "nothing"


@pytest.mark.parametrize(("takes_ms", "kept_ms"), [(0, 5_000), (100, 5_000), (3_000, 60_000)])
def test_a_count_is_kept_the_longer_the_longer_it_took(takes_ms: int, kept_ms: int) -> None:
    shop = Counting(takes_ms)
    assert shop.told() == "count-1"
    shop.now += kept_ms - 1
    assert shop.told() == "count-1"
    shop.now += 1
    assert shop.told() == "count-2"


def test_whoever_asks_while_it_is_counted_anew_is_told_the_count_before() -> None:
    """Nobody waits for a count that another one makes, and nobody makes it twice."""
    shop, heard = Counting(), []
    shop.told()
    shop.now += 5_000
    shop.while_counting = lambda: heard.append(beside(shop.told))
    assert shop.told() == "count-2"
    assert (heard, shop.counts) == (["count-1"], 2)


def test_the_first_askers_wait_for_one_count() -> None:
    shop, told = Counting(), []
    counting, all_ask = threading.Event(), threading.Event()

    def pause() -> None:
        counting.set()
        assert all_ask.wait(5)

    shop.while_counting = pause
    askers = [threading.Thread(target=lambda: told.append(shop.told())) for _ in range(4)]
    askers[0].start()
    assert counting.wait(5)
    for asker in askers[1:]:
        asker.start()
    all_ask.set()
    for asker in askers:
        asker.join(5)
    assert (told, shop.counts) == (["count-1"] * 4, 1)


def test_what_was_counted_is_told_while_the_graph_is_away() -> None:
    shop = Counting()
    shop.told()
    shop.now += 5_000
    shop.graph.is_away = True
    assert shop.popular.top(None) == ([("count-1", 1.0)], True)
    shop.graph.is_away = False
    assert shop.told() == "count-2"

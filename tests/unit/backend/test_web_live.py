"""The model in memory, and a graph that is away."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from backend.acquaintances import Acquaintances
from backend.breaker import Breaker
from backend.live import LiveModel
from backend.serving import Columns
from backend.shelf import Shelf
from graph import models, pulls
from graph.errors import GraphUnavailable
from graph.shelf import on_shelf
from tests.factories import (
    NOW_MS,
    FakeChanges,
    FakeGraph,
    FakeModel,
    everybody,
    showing,
    stored_model,
    viewed,
    world,
)


def query(tx: Any) -> int:
    return 1


def test_a_graph_that_is_away_is_not_asked_again_at_once() -> None:
    """Nobody waits for what is known to be away."""
    now = [0.0]
    graph = FakeGraph({query: 1})
    guarded = Breaker(graph, pause_s=1.0, clock=lambda: now[0])
    graph.is_away = True
    with pytest.raises(GraphUnavailable):
        guarded.read(query)
    graph.is_away = False
    with pytest.raises(GraphUnavailable, match="a moment ago"):
        guarded.read(query)
    now[0] = 1.0
    assert guarded.read(query) == 1
    assert guarded.read(query) == 1


def test_one_caller_tries_while_the_others_are_told_at_once() -> None:
    """A slow try holds up one shopper, not all."""
    now = [0.0]
    graph = FakeGraph({query: 1})
    guarded = Breaker(graph, pause_s=1.0, clock=lambda: now[0])
    graph.is_away = True
    with pytest.raises(GraphUnavailable):
        guarded.read(query)
    graph.is_away = False
    now[0] = 2.0
    seen: list[str] = []

    def slow() -> int:
        with pytest.raises(GraphUnavailable):
            guarded.read(query)
        seen.append("others refused")
        return 1

    graph.answers[query] = slow
    assert guarded.read(query) == 1
    assert seen == ["others refused"]


def test_an_error_of_a_query_does_not_count_as_away() -> None:
    """The next caller is served."""
    graph = FakeGraph({query: ValueError("x")})
    guarded = Breaker(graph)
    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            guarded.read(query)


def test_a_swap_never_mixes_two_versions() -> None:
    """Readers keep what they took, whatever happens meanwhile."""
    here = world(FakeModel({"a": 1.0}))
    taken = here.models.current()
    assert taken is not None
    here.versions["m-2"] = FakeModel({"b": 1.0}, version="m-2")
    here.graph.answers[models.live] = stored_model("m-2")
    here.models.refresh()
    assert (taken.version, taken.known_items) == ("m-1", {"a"})
    now = here.models.current()
    assert now is not None
    assert (now.version, now.known_items) == ("m-2", {"b"})


def test_the_watcher_follows_the_pointer_and_outlives_a_graph_that_is_away() -> None:
    """The process notices by itself."""
    swapped = threading.Event()
    graph = FakeGraph({models.live: stored_model(), on_shelf: showing(), pulls.users: everybody})
    graph.is_away = True
    shelf = Shelf(graph, FakeChanges(), now_ms=lambda: NOW_MS)
    load: Callable[[str], FakeModel] = lambda version: FakeModel({"a": 1.0})  # noqa: E731
    live = LiveModel(graph, load, shelf, Acquaintances(), interval_s=0.01)
    live.on_swap = lambda version: swapped.set()
    live.watch()
    assert not swapped.wait(0.05)
    graph.is_away = False
    assert swapped.wait(5)
    live.stop()


def test_columns_leave_out_what_says_nothing_of_an_item() -> None:
    """One column per fact, all of one length."""
    columns = Columns.of([viewed("a"), viewed("b", ts=5)])
    assert (columns.item_ids, columns.ts[1], columns.prices) == (["a", "b"], 5, [None, None])

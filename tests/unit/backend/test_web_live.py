"""The model in memory, and a graph that is away."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from backend.acquaintances import Acquaintances
from backend.breaker import Breaker
from backend.live import LiveModel
from backend.serving import Columns
from backend.shelf import Shelf
from graph import items, models, pulls
from graph.domain.models import Model, ModelStatus
from graph.errors import GraphUnavailable
from graph.shelf import on_shelf
from tests.factories import (
    NOW_MS,
    SERVER,
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


def retired(version: str, created_at: int) -> Model:
    return stored_model(version, status=ModelStatus.RETIRED, created_at=created_at)


def test_a_process_that_starts_with_a_broken_live_model_answers_by_the_last_good_one() -> None:
    """It says that this one is stale, and takes the live one as soon as it can be loaded."""
    now = [0.0]
    here = world()
    here.versions["m-old"] = FakeModel({"a": 1.0}, "m-old")
    here.graph.answers[models.live] = stored_model("m-broken")
    here.graph.answers[models.all_models] = [
        stored_model("m-broken"),
        stored_model("m-failed", status=ModelStatus.FAILED),
        retired("m-gone", 3),
        retired("m-old", 2),
    ]
    here.models._clock = lambda: now[0]
    here.models.refresh()
    told = here.client.get("/v1/popular-items", headers=SERVER).json
    assert (told["model_version"], told["stale"]) == ("m-old", True)
    here.versions["m-broken"] = FakeModel({"a": 1.0}, "m-broken")
    here.models.refresh()
    assert here.client.get("/v1/popular-items", headers=SERVER).json["stale"]
    now[0] = 60.0
    here.models.refresh()
    told = here.client.get("/v1/popular-items", headers=SERVER).json
    assert (told["model_version"], told["stale"]) == ("m-broken", False)


def test_g10_with_a_broken_model_popular_items_are_counted_and_an_alarm_rings() -> None:
    """Never a 500: the level says so, the share of fallbacks rises, and an error is logged."""
    here = world(answers={models.all_models: [], items.popular: [("x", 2.0)]})
    here.graph.answers[models.live] = stored_model("m-broken")
    with capture_logs() as logged:
        here.models.refresh()
    assert ("model_unusable", "error") in [(one["event"], one["log_level"]) for one in logged]
    told = here.client.get("/v1/recommendations?user_id=u-1", headers=SERVER).json
    assert (told["level"], told["model_version"]) == ("popular", None)
    measured = here.client.get("/metrics").text
    assert 'shopgraph_recommendations_total{level="popular"} 1.0' in measured


def test_columns_leave_out_what_says_nothing_of_an_item() -> None:
    """One column per fact, all of one length."""
    columns = Columns.of([viewed("a"), viewed("b", ts=5)])
    assert (columns.item_ids, columns.ts[1], columns.prices) == (["a", "b"], 5, [None, None])

"""Models, their vectors and the pointer; training runs and leases, also with two at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from graph import counts, items, leases, models, recommendations, training_runs, users
from graph.client import Graph
from graph.domain.ids import ItemId, ModelVersion, RunId, UserId
from graph.domain.models import Model, ModelStatus, RunState, Slot, TrainingRun
from graph.errors import GraphRejected, LeaseLost, UnknownModel, UnknownRun
from tests.stored import person_of

FIRST = Model(
    version=ModelVersion("m-1"), status=ModelStatus.CANDIDATE, slot=Slot.BLUE, profile="paper",
    as_of_ms=5, data_seq=7, created_at=1, metrics={"ap": 0.25},
)  # fmt: skip
SECOND = replace(FIRST, version=ModelVersion("m-2"), slot=Slot.GREEN, created_at=2)
THIRD = replace(FIRST, version=ModelVersion("m-3"), created_at=3)
RUN = TrainingRun(
    run_id=RunId("r-1"), state=RunState.QUEUED, profile="paper", stage="queued", progress=0.0,
    requested_at=100, options={"epochs": 3},
)  # fmt: skip


def status_of(graph: Graph, model: Model) -> ModelStatus:
    return graph.read(models.get, model.version).status


def test_a_model_comes_back_as_it_was_told(graph: Graph) -> None:
    graph.write(models.create, FIRST)
    assert graph.read(models.get, FIRST.version) == FIRST
    with pytest.raises(UnknownModel):
        graph.read(models.get, ModelVersion("none"))


def test_the_pointer_moves_in_one_step_and_back(graph: Graph) -> None:
    for model in (FIRST, SECOND):
        graph.write(models.create, model)
    assert graph.read(models.live) is None
    assert graph.read(models.idle_slot) is Slot.BLUE
    graph.write(models.activate, FIRST.version, now_ms=9)
    assert graph.read(models.idle_slot) is Slot.GREEN
    graph.write(models.activate, SECOND.version, now_ms=10)
    assert status_of(graph, FIRST) is ModelStatus.RETIRED
    graph.write(models.activate, FIRST.version, now_ms=11)
    live = graph.read(models.live)
    assert live is not None
    assert live.version == FIRST.version
    assert [one.version for one in graph.read(models.all_models)] == ["m-2", "m-1"]


def test_a_model_whose_vectors_are_gone_cannot_come_back(graph: Graph) -> None:
    for model in (FIRST, SECOND, THIRD):
        graph.write(models.create, model)
    with pytest.raises(GraphRejected, match="overwritten"):
        graph.write(models.activate, FIRST.version, now_ms=9)
    graph.write(models.fail, SECOND.version, "no better than popularity")
    with pytest.raises(GraphRejected, match="failed"):
        graph.write(models.activate, SECOND.version, now_ms=9)
    assert graph.read(models.get, SECOND.version).reason == "no better than popularity"
    with pytest.raises(UnknownModel):
        graph.write(models.activate, ModelVersion("none"), now_ms=9)


def test_the_live_model_cannot_fail_nor_its_slot_be_cleared(graph: Graph) -> None:
    graph.write(models.create, FIRST)
    graph.write(models.activate, FIRST.version, now_ms=9)
    graph.write(models.fail, FIRST.version, "late doubts")
    assert status_of(graph, FIRST) is ModelStatus.LIVE
    with pytest.raises(GraphRejected):
        models.clear_slot(graph, Slot.BLUE)


def test_vectors_stand_in_their_slot_alone(graph: Graph) -> None:
    anna = UserId("c_anna")
    graph.write(users.meet, [users.Sighting(user_id=anna)])
    graph.write(items.mention, [ItemId("A")])
    graph.write(models.write_user_embeddings, Slot.BLUE, [(anna, [1.0]), (UserId("c_x"), [2.0])])
    graph.write(models.write_item_embeddings, Slot.BLUE, [(ItemId("A"), [3.0])])

    def vector(slot: Slot) -> list[float] | None:
        person = person_of(graph, anna, slot=slot)
        assert person is not None
        return person.embedding

    assert (vector(Slot.BLUE), vector(Slot.GREEN)) == ([1.0], None)
    models.clear_slot(graph, Slot.BLUE)
    assert vector(Slot.BLUE) is None
    query = "MATCH (i:Item) RETURN i.embedding_blue AS e"
    assert graph.read(lambda tx: tx.run(query).data()) == [{"e": None}]


def test_neighbours_are_replaced_by_the_next_model(graph: Graph) -> None:
    a, b, c, d = (ItemId(name) for name in "ABCD")
    graph.write(items.mention, [a, b, c, d])
    graph.write(models.write_similar, FIRST.version, [(a, b, 0.5), (a, c, 0.9), (a, d, 0.5)])
    graph.write(models.write_similar, SECOND.version, [(a, b, 0.7), (a, d, 0.7)])
    models.prune_similar(graph, SECOND.version)
    near = [recommendations.Recommendation(b, 0.7), recommendations.Recommendation(d, 0.7)]
    assert graph.read(recommendations.similar_items, a, limit=9) == near
    graph.write(items.remove, [b], now_ms=1)
    assert graph.read(recommendations.similar_items, a, limit=9) == near[1:]
    assert graph.read(counts.counts).relationships["SIMILAR_TO"] == 2


def request(graph: Graph, run: TrainingRun, stale_before_ms: int = 0) -> tuple[str, bool]:
    found, is_new = graph.write(training_runs.request, run, stale_before_ms=stale_before_ms)
    return found.run_id, is_new


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(call) for call in calls]]


def test_two_requests_at_once_get_one_run(graph: Graph) -> None:
    runs = [replace(RUN, run_id=RunId(f"r-{number}")) for number in range(4)]
    found = at_once([lambda run=run: request(graph, run) for run in runs])
    assert len({run_id for run_id, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1


def test_a_run_comes_back_with_its_options_and_progress(graph: Graph) -> None:
    request(graph, RUN)
    assert graph.read(training_runs.get, RUN.run_id) == RUN
    graph.write(training_runs.claim, RUN.run_id, "w1", now_ms=200, ttl_ms=50)
    for stage, figures in (("pull", {"edges": 5}), ("fit", {"epoch": 1})):
        graph.write(
            training_runs.progress, RUN.run_id, stage=stage, progress=0.5, figures=figures,
            now_ms=210,
        )  # fmt: skip
    run = graph.read(training_runs.get, RUN.run_id)
    assert (run.state, run.stage, run.progress) == (RunState.RUNNING, "fit", 0.5)
    assert (run.started_at, run.figures) == (200, {"edges": 5, "epoch": 1})
    graph.write(
        training_runs.finish, RUN.run_id, state=RunState.FINISHED, error=None,
        model_version=FIRST.version, figures={"ap": 0.1}, now_ms=220,
    )  # fmt: skip
    run = graph.read(training_runs.get, RUN.run_id)
    assert (run.stage, run.progress, run.model_version) == ("done", 1.0, "m-1")
    assert run.figures == {"edges": 5, "epoch": 1, "ap": 0.1}
    assert graph.read(training_runs.latest, 5) == [run]
    assert request(graph, replace(RUN, run_id=RunId("r-2"))) == ("r-2", True)


def test_a_run_without_a_sign_of_life_makes_room(graph: Graph) -> None:
    request(graph, RUN)
    assert request(graph, replace(RUN, run_id=RunId("r-2")), stale_before_ms=100) == ("r-1", False)
    assert request(graph, replace(RUN, run_id=RunId("r-2")), stale_before_ms=101) == ("r-2", True)
    assert graph.read(training_runs.get, RUN.run_id).error == "no sign of life"
    with pytest.raises(LeaseLost):
        graph.write(
            training_runs.progress, RUN.run_id, stage="fit", progress=0.1, figures={}, now_ms=1
        )
    with pytest.raises(LeaseLost):
        graph.write(training_runs.claim, RUN.run_id, "w1", now_ms=1, ttl_ms=1)


def test_one_worker_holds_a_run(graph: Graph) -> None:
    request(graph, RUN)
    mine = graph.write(training_runs.claim, RUN.run_id, "w1", now_ms=0, ttl_ms=50)
    with pytest.raises(LeaseLost):
        graph.write(training_runs.claim, RUN.run_id, "w2", now_ms=49, ttl_ms=50)
    renewed = graph.write(training_runs.claim, RUN.run_id, "w1", now_ms=49, ttl_ms=50)
    assert renewed.fence == mine.fence
    taken = graph.write(training_runs.claim, RUN.run_id, "w2", now_ms=99, ttl_ms=50)
    assert taken.fence == mine.fence + 1
    with pytest.raises(LeaseLost):
        graph.write(leases.check, training_runs.LEASE, mine.fence)
    graph.write(leases.check, training_runs.LEASE, taken.fence)


def test_an_unknown_run_is_said_so(graph: Graph) -> None:
    with pytest.raises(UnknownRun):
        graph.read(training_runs.get, RunId("none"))


def test_a_released_lease_is_free_and_its_fence_stays(graph: Graph) -> None:
    first = graph.write(leases.acquire, "ingest", "a", now_ms=0, ttl_ms=50)
    graph.write(leases.release, "ingest", "b")
    assert graph.write(leases.acquire, "ingest", "b", now_ms=1, ttl_ms=50) is None
    graph.write(leases.release, "ingest", "a")
    second = graph.write(leases.acquire, "ingest", "b", now_ms=1, ttl_ms=50)
    assert first is not None
    assert second is not None
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLost):
        graph.write(leases.check, "other", 1)


def test_one_of_many_gets_a_free_lease(graph: Graph) -> None:
    names = [f"w{number}" for number in range(4)]

    def acquire(owner: str) -> leases.Lease | None:
        return graph.write(leases.acquire, "ingest", owner, now_ms=0, ttl_ms=50)

    got = at_once([lambda name=name: acquire(name) for name in names])
    assert sum(lease is not None for lease in got) == 1

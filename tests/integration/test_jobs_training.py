"""The training job on a real graph: one run at a time, a model that answers at the end."""

import time
from pathlib import Path

import numpy as np
import pytest
from neo4j import ManagedTransaction

from graph import events, leases, models, pulls, training_runs
from graph.client import Graph
from graph.domain.events import EventType
from graph.domain.models import ModelStatus, RunState
from graph.errors import GraphUnavailable, LeaseLost
from ml.delivery import embed
from ml.serving.model import ServingModel
from tests import shop
from tests.runs import asked, stored_vectors, trained
from workers import rules, stages
from workers.columns import load, pull
from workers.errors import RunInterrupted
from workers.intake.changes import CatalogueChanges
from workers.leases import HeldLease, now_ms
from workers.refresh import refresh
from workers.settings import JobSettings
from workers.stages import Place
from workers.training import attempt


@pytest.fixture
def settings(tmp_path: Path) -> JobSettings:
    """A model store of the test's own."""
    return JobSettings(redis_url="redis://nowhere", model_store=tmp_path / "models", lease_ttl_s=5)


def neighbours(tx: ManagedTransaction) -> list[tuple[str, str, str]]:
    """All similar items, with the version that says so."""
    rows = tx.run(
        "MATCH (a:Item)-[near:SIMILAR_TO]->(b:Item)"
        " RETURN a.item_id AS a, b.item_id AS b, near.version AS v"
    )
    return [(row["a"], row["b"], row["v"]) for row in rows]


def test_a_run_ends_with_a_live_model_whose_vectors_are_on_the_nodes(
    graph: Graph, settings: JobSettings
) -> None:
    """From events to a model that answers: files, embeddings, neighbours, pointer, figures."""
    shop.fill(graph, shop.checkerboard())
    run = trained(graph, settings)
    assert run.state is RunState.FINISHED, run.error
    assert run.progress == 1.0
    live = graph.read(models.live)
    assert live is not None
    assert live.version == run.model_version
    assert live.metrics["test_paper_ap"] > live.metrics["test_popularity_ap"]
    assert 0 < live.metrics["test_base_rate"] < 1
    served = ServingModel.load(settings.model_store / live.version)
    assert served.as_of_ms == live.as_of_ms
    vectors = graph.read(stored_vectors, live.slot)
    assert set(vectors) == {shop.person(number) for number in range(30)}
    near = graph.read(neighbours)
    assert {version for *_, version in near} == {live.version}
    assert max(np.unique([a for a, *_ in near], return_counts=True)[1]) <= 10


def test_e9_the_vectors_on_the_nodes_are_the_models_own(
    graph: Graph, settings: JobSettings
) -> None:
    """People's vectors equal those of the trained weights, items' those of the served arrays."""
    shop.fill(graph, shop.checkerboard())
    trained(graph, settings)
    live = graph.read(models.live)
    assert live is not None
    folder = settings.model_store / live.version
    people, items = (graph.read(stored_vectors, live.slot, label) for label in ("User", "Item"))
    data = pull(graph, Place(settings.model_store, 5).cache, report=lambda _: None).interactions
    again = embed(folder, data, now_ms=live.as_of_ms)
    np.testing.assert_allclose(
        [people[name] for name in again.user_ids], again.user_vectors, atol=1e-5
    )
    served = ServingModel.load(folder)
    np.testing.assert_allclose(
        [items[name] for name in served.item_ids], served.embedding, atol=1e-5
    )


def test_the_next_run_writes_the_other_slot_and_neighbours_are_its_own(
    graph: Graph, settings: JobSettings
) -> None:
    """Two slots take turns, so the model before can answer again."""
    shop.fill(graph, shop.checkerboard())
    first = trained(graph, settings)
    second = trained(graph, settings, 2, force=True)
    found = {model.version: model for model in graph.read(models.all_models)}
    assert found[first.model_version].status is ModelStatus.RETIRED
    assert found[second.model_version].status is ModelStatus.LIVE
    assert found[first.model_version].slot is found[second.model_version].slot.other
    assert {version for *_, version in graph.read(neighbours)} == {second.model_version}


def test_e14_without_new_events_a_run_is_skipped_with_a_note(
    graph: Graph, settings: JobSettings
) -> None:
    """The live model stays, the run is finished at 100 % and says why it did nothing."""
    shop.fill(graph, shop.checkerboard())
    first = trained(graph, settings)
    again = trained(graph, settings, 2)
    assert again.state is RunState.FINISHED
    assert again.progress == 1.0
    assert again.model_version == first.model_version
    assert "no new events" in again.figures["note"]


@pytest.mark.parametrize("people", [0, 1])
def test_e1_too_little_data_fails_with_the_numbers_and_the_old_model_stays(
    graph: Graph, settings: JobSettings, people: int
) -> None:
    """No events, or one person: the run says what was found and what is needed."""
    shop.fill(graph, shop.checkerboard(people=people, days=30))
    run = trained(graph, settings)
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert any(letter.isdigit() for letter in run.error)
    assert graph.read(models.live) is None


def test_a_model_no_better_than_popularity_is_kept_as_failed(
    graph: Graph, settings: JobSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate names the two figures; the model that answered before still does."""
    shop.fill(graph, shop.checkerboard())
    first = trained(graph, settings)
    monkeypatch.setattr(rules, "TOLERANCE", 1.0)
    run = trained(graph, settings, 2, force=True)
    assert run.state is RunState.FAILED
    assert "not above popularity" in (run.error or "")
    live = graph.read(models.live)
    assert live is not None
    assert live.version == first.model_version
    failed = [one for one in graph.read(models.all_models) if one.status is ModelStatus.FAILED]
    assert len(failed) == 1


def test_an_ablation_is_measured_and_not_put_to_work(graph: Graph, settings: JobSettings) -> None:
    """Without attention there are figures, and the live model is another one."""
    shop.fill(graph, shop.checkerboard())
    run = trained(graph, settings, no_attention=True)
    assert run.state is RunState.FINISHED
    assert run.figures["metrics"]["test_paper_ap"] > 0
    assert graph.read(models.live) is None


def test_e3_a_run_that_diverges_fails_and_nothing_is_served(
    graph: Graph, settings: JobSettings
) -> None:
    """A learning rate far too high ends in a sentence, or in a model that passes no gate."""
    shop.fill(graph, shop.checkerboard())
    run = trained(graph, settings, learning_rate=1e12)
    assert run.state is RunState.FAILED
    assert graph.read(models.live) is None


def test_e6_a_run_that_does_not_fit_into_memory_is_refused_and_its_estimate_noted(
    graph: Graph, settings: JobSettings
) -> None:
    """A sentence with both numbers; the model before stays."""
    shop.fill(graph, shop.checkerboard())
    first = trained(graph, settings)
    assert 0 < first.figures["memory_needed_mb"] < first.figures["memory_free_mb"]
    cramped = settings.model_copy(update={"training_memory_mb": 100})
    run = trained(graph, cramped, 2, force=True)
    assert run.state is RunState.FAILED
    assert "100 MiB are free" in (run.error or "")
    live = graph.read(models.live)
    assert live is not None
    assert live.version == first.model_version


def test_f1_while_one_worker_trains_another_is_turned_away(
    graph: Graph, settings: JobSettings
) -> None:
    """The lease admits one holder; the second copy of a job does not even start."""
    run = asked(graph)
    graph.write(training_runs.claim, run.run_id, "first", now_ms=now_ms(), ttl_ms=60_000)
    with pytest.raises(LeaseLost):
        attempt(graph, settings, run.run_id, owner="second")
    assert graph.read(training_runs.get, run.run_id).state is RunState.RUNNING


def test_f1_two_requests_are_one_run(graph: Graph) -> None:
    """Whoever asks second gets the first one's run."""
    assert asked(graph, 1).run_id == asked(graph, 2).run_id


def test_f1_a_worker_that_was_paused_too_long_writes_nothing_any_more(
    graph: Graph, settings: JobSettings
) -> None:
    """Its fence is outdated: the write fails before it happens."""
    run = asked(graph)
    lease = graph.write(training_runs.claim, run.run_id, "slow", now_ms=0, ttl_ms=1)
    graph.write(training_runs.claim, run.run_id, "quick", now_ms=now_ms(), ttl_ms=60_000)
    held = HeldLease(graph, lease, ttl_s=1000)
    with pytest.raises(LeaseLost):
        held.write(models.activate, "m-any", now_ms=now_ms())
    assert graph.read(models.live) is None


def test_f4_a_run_that_ends_its_worker_three_times_is_given_up(
    graph: Graph, settings: JobSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killer job stops after its third try, and the run says so."""
    run = asked(graph)

    def die(*_: object, **__: object) -> None:
        raise SystemExit("killed")

    monkeypatch.setattr("workers.training.train_and_swap", die)
    for number in range(3):
        with pytest.raises(SystemExit):
            attempt(graph, settings, run.run_id, owner=f"victim:{number}")
        assert graph.read(training_runs.get, run.run_id).state is RunState.RUNNING
    attempt(graph, settings, run.run_id, owner="fourth")
    ended = graph.read(training_runs.get, run.run_id)
    assert ended.state is RunState.FAILED
    assert "3 times" in (ended.error or "")


def test_f4_a_graph_that_goes_away_again_and_again_does_not_end_a_run(
    graph: Graph, settings: JobSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only tries that ended their worker count against it."""
    shop.fill(graph, shop.checkerboard())
    run = asked(graph)

    def away(*_: object) -> None:
        raise GraphUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(stages, "swap", away)
        for turn in range(settings.run_attempts + 1):
            with pytest.raises(RunInterrupted, match="swap"):
                attempt(graph, settings, run.run_id, owner=f"turn {turn}", interrupted=turn)
    attempt(graph, settings, run.run_id, owner="last", interrupted=settings.run_attempts + 1)
    assert graph.read(training_runs.get, run.run_id).state is RunState.FINISHED


def test_f4_killed_while_writing_back_the_run_completes_and_nothing_half_written_answers(
    graph: Graph, settings: JobSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try dies between users and swap: no model is live; the second one finishes."""
    shop.fill(graph, shop.checkerboard())
    run = asked(graph)

    def die(*_: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(stages, "swap", die)
        with pytest.raises(SystemExit):
            attempt(graph, settings, run.run_id, owner="first")
    assert graph.read(models.live) is None
    # It had trained already, so the second try has nothing to train, whatever happened since.
    late = shop.START_MS + 80 * shop.DAY_MS
    graph.write(events.record, [shop.event(90_000, shop.person(1), 2, EventType.VIEW, late)])
    monkeypatch.setattr("ml.training.train", die)
    attempt(graph, settings, run.run_id, owner="second")
    ended = graph.read(training_runs.get, run.run_id)
    assert ended.state is RunState.FINISHED
    assert ended.figures["attempts"] == 2
    states = {one.version: one.status for one in graph.read(models.all_models)}
    assert states.pop(ended.model_version) is ModelStatus.LIVE
    assert set(states.values()) == {ModelStatus.FAILED}
    assert ServingModel.load(settings.model_store / ended.model_version).version == (
        ended.model_version
    )
    live = graph.read(models.live)
    assert live is not None
    assert live.data_seq < graph.read(pulls.last_seq)
    assert graph.read(stored_vectors, live.slot)


def test_f4_killed_after_the_swap_the_run_ends_with_the_model_that_is_live(
    graph: Graph, settings: JobSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is not touched, and nothing is trained again."""
    shop.fill(graph, shop.checkerboard())
    run = asked(graph)

    def die(*_: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(stages, "prune", lambda *_, **__: die())
        with pytest.raises(SystemExit):
            attempt(graph, settings, run.run_id, owner="first")
    live = graph.read(models.live)
    assert live is not None
    monkeypatch.setattr("ml.training.train", die)
    attempt(graph, settings, run.run_id, owner="second")
    ended = graph.read(training_runs.get, run.run_id)
    assert (ended.state, ended.model_version) == (RunState.FINISHED, live.version)
    assert ServingModel.load(settings.model_store / live.version).version == live.version


def test_a_second_pull_reads_only_new_edges(graph: Graph, tmp_path: Path) -> None:
    """The kept arrays grow by what came since, and hold what a fresh pull would."""
    told, cache = shop.checkerboard(days=20), tmp_path / "edges.npz"
    shop.fill(graph, told[:400])
    pull(graph, cache, report=lambda _: None, page=37)
    shop.fill(graph, told)
    grown = pull(graph, cache, report=lambda _: None, page=37)
    fresh = pull(graph, tmp_path / "other.npz", report=lambda _: None)
    assert grown.fresh == len(told) - 400
    for name in ("user", "item", "code", "ts", "price"):
        np.testing.assert_array_equal(
            getattr(grown.interactions, name), getattr(fresh.interactions, name)
        )


def test_arrays_of_a_graph_that_was_wiped_are_not_used(graph: Graph, tmp_path: Path) -> None:
    """Another shop in the same place counts from one as well; its edges are read anew."""
    cache = tmp_path / "edges.npz"
    shop.fill(graph, shop.checkerboard(days=20))
    pull(graph, cache, report=lambda _: None)
    graph.run_alone("MATCH (n) WHERE NOT n:__Neo4jMigration DETACH DELETE n")
    other = shop.checkerboard(days=25, seed=4)
    shop.fill(graph, other)
    assert len(pull(graph, cache, report=lambda _: None).interactions) == len(other)


def test_a_damaged_cache_is_read_anew(graph: Graph, tmp_path: Path) -> None:
    """Half a file is no file."""
    cache = tmp_path / "edges.npz"
    told = shop.checkerboard(days=5)
    shop.fill(graph, told)
    pull(graph, cache, report=lambda _: None)
    cache.write_bytes(cache.read_bytes()[:100])
    assert len(load(cache)) == 0
    assert len(pull(graph, cache, report=lambda _: None).interactions) == len(told)


def test_a_visitor_who_became_known_counts_as_the_customer(graph: Graph, tmp_path: Path) -> None:
    """After the identity edge, what the visitor did belongs to the customer; nothing was moved."""
    told = shop.checkerboard(people=2, days=3)
    visitor = "v_" + "0" * 22
    first = told[0]._replace(user_id=visitor)
    shop.fill(graph, [first, *told[1:]])
    known = shop.event(9_999, shop.person(0), 0, EventType.IDENTIFY, shop.START_MS)._replace(
        item_id=None, visitor_id=visitor
    )
    graph.write(events.record, [known])
    data = pull(graph, tmp_path / "edges.npz", report=lambda _: None).interactions
    people = {data.user_ids[row] for row in data.user.tolist()}
    assert people == {shop.person(0), shop.person(1)}


def test_the_refresh_gives_new_people_a_vector_and_leaves_others_alone(
    graph: Graph, settings: JobSettings, redis_url: str
) -> None:
    """Without training: only people with events since the model was made are written."""
    shop.fill(graph, shop.checkerboard())
    trained(graph, settings)
    live = graph.read(models.live)
    assert live is not None
    place = Place(settings.model_store, 5)
    changes = CatalogueChanges(redis_url)
    before, told = graph.read(stored_vectors, live.slot), changes.stamp()
    assert refresh(graph, place, changes).people == 0
    assert changes.stamp() == told
    late = shop.START_MS + 80 * shop.DAY_MS
    new = [
        shop.event(90_000 + step, shop.person(77), 2 * step, EventType.VIEW, late + step)
        for step in range(5)
    ]
    graph.write(events.record, new)
    assert refresh(graph, place, changes).people == 1
    assert changes.stamp().vectors == told.vectors + 1
    after = graph.read(stored_vectors, live.slot)
    assert set(after) == {*before, shop.person(77)}
    assert {name: after[name] for name in before} == before
    assert refresh(graph, place, changes).people == 0


def test_a_lease_is_renewed_while_work_goes_on(graph: Graph) -> None:
    """Work may take longer than the time to live."""
    lease = graph.write(leases.acquire, "tests", "us", now_ms=now_ms(), ttl_ms=600)
    assert lease is not None
    with HeldLease(graph, lease, ttl_s=0.6):
        time.sleep(1.5)
        assert graph.write(leases.acquire, "tests", "them", now_ms=now_ms(), ttl_ms=600) is None
    assert graph.write(leases.acquire, "tests", "them", now_ms=now_ms(), ttl_ms=600) is not None

"""Runs and models, as operators see them."""

from typing import Any

import pytest

from graph import models, training_runs
from graph.domain.models import ModelStatus, RunState, Slot, TrainingRun
from tests.factories import ADMIN, NOW_MS, FakeModel, stored_model, world
from workers.errors import JobsUnavailable

RUNNING = TrainingRun(
    run_id="t-1",  # type: ignore[arg-type]
    state=RunState.RUNNING,
    profile="paper",
    stage="fit",
    progress=0.4,
    requested_at=NOW_MS,
    figures={"ap": float("nan")},
)


def created(run: TrainingRun, *, stale_before_ms: int) -> tuple[TrainingRun, bool]:
    return run, True


def test_the_first_caller_starts_a_run() -> None:
    """202 with the id, and the job is in the queue."""
    here = world(answers={training_runs.request: created})
    answer = here.client.post("/v1/training-runs", headers=ADMIN, json={"no_graph": True})
    assert answer.status_code == 202
    assert answer.json["created"] is True
    assert here.jobs.asked == [(answer.json["run_id"], {"no_graph": True})]


def test_the_second_caller_gets_the_same_run_and_starts_none() -> None:
    """One run at a time."""
    here = world(answers={training_runs.request: (RUNNING, False)})
    answer = here.client.post("/v1/training-runs", headers=ADMIN, json={})
    assert answer.status_code == 202
    assert (answer.json["run_id"], answer.json["created"]) == ("t-1", False)
    assert here.jobs.asked == []


def test_a_run_that_could_not_be_queued_is_closed() -> None:
    """503, and it blocks no later one."""
    here = world(answers={training_runs.request: created, training_runs.finish: None})
    here.jobs.fails = JobsUnavailable("broker")
    answer = here.client.post("/v1/training-runs", headers=ADMIN, json={})
    assert (answer.status_code, answer.json["code"]) == (503, "broker_unavailable")
    query, _, told = here.graph.asked[-1]
    assert query is training_runs.finish
    assert told["state"] is RunState.FAILED


@pytest.mark.parametrize("body", [{"profile": "magic"}, {"no_graph": "yes"}, {"epochs": 1}, []])
def test_a_run_nobody_can_do_is_refused(body: Any) -> None:
    """422 before anything is queued."""
    here = world()
    assert here.client.post("/v1/training-runs", headers=ADMIN, json=body).status_code == 422
    assert here.jobs.asked == []


def test_g5_a_run_tells_how_far_it_is_in_valid_json() -> None:
    """A figure that is no number is null."""
    here = world(answers={training_runs.get: RUNNING})
    told = here.client.get("/v1/training-runs?run_id=t-1", headers=ADMIN).json
    assert (told["state"], told["stage"], told["progress"]) == ("running", "fit", 0.4)
    assert told["figures"] == {"ap": None}
    assert told["started_at"] is None


def test_without_an_id_the_newest_runs_are_told() -> None:
    """An operator need not remember ids."""
    here = world(answers={training_runs.latest: [RUNNING]})
    told = here.client.get("/v1/training-runs", headers=ADMIN).json
    assert [run["run_id"] for run in told["items"]] == ["t-1"]


def test_models_are_listed_with_the_one_in_memory() -> None:
    """What the graph says, and what this process serves."""
    old = stored_model("m-0", status=ModelStatus.RETIRED, metrics={"ap": float("nan")})
    here = world(FakeModel({"a": 1.0}), {models.all_models: [stored_model(), old]})
    told = here.client.get("/v1/models", headers=ADMIN).json["items"]
    assert [(one["version"], one["loaded"]) for one in told] == [("m-1", True), ("m-0", False)]
    assert told[1]["metrics"] == {"ap": None}


def activate(wanted: Any, *others: Any, loadable: bool = True) -> Any:
    here = world(
        FakeModel({"a": 1.0}),
        {
            models.get: wanted,
            models.all_models: [wanted, *others],
            models.activate: None,
        },
    )
    if loadable:
        here.versions["m-0"] = FakeModel({"a": 1.0}, version="m-0")
    here.graph.answers[models.live] = wanted
    answer = here.client.post("/v1/models/activate", headers=ADMIN, json={"version": "m-0"})
    return here, answer


def test_an_older_model_can_serve_again() -> None:
    """Rollback: the pointer moves, and this process follows at once."""
    old = stored_model("m-0", status=ModelStatus.RETIRED, slot=Slot.GREEN, created_at=1)
    here, answer = activate(old, stored_model())
    assert answer.status_code == 200
    assert answer.json["loaded"] is True
    assert here.models.current().version == "m-0"


@pytest.mark.parametrize(
    ("changes", "loadable", "code"),
    [
        ({"status": ModelStatus.FAILED, "slot": Slot.GREEN}, True, "model_failed"),
        ({"status": ModelStatus.RETIRED, "slot": Slot.BLUE}, True, "slot_overwritten"),
        ({"status": ModelStatus.RETIRED, "slot": Slot.GREEN}, False, "model_unusable"),
    ],
)
def test_a_model_that_could_not_serve_is_refused(
    changes: dict[str, Any], loadable: bool, code: str
) -> None:
    """409 before the pointer moves."""
    wanted = stored_model("m-0", created_at=1, **changes)
    here, answer = activate(wanted, stored_model(), loadable=loadable)
    assert (answer.status_code, answer.json["code"]) == (409, code)
    assert models.activate not in [query for query, _, _ in here.graph.asked]

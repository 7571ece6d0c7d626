"""Runs that train a model: ask for one, see how it goes."""

import uuid
from typing import Any, Self

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, RootModel, StrictBool, model_validator

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.parsing import Taken, parsed
from backend.wiring import clock_ms, graph, parts
from graph import training_runs
from graph.domain.ids import RunId
from graph.domain.models import Profile, RunState, TrainingRun
from workers.errors import JobsUnavailable
from workers.intake.schema import KnownId

bp = APIBlueprint("training", __name__, abp_tags=[Tag(name="Training")], abp_security=[{"key": []}])


class RunWanted(Taken):
    """Which model to train, and with what left out."""

    profile: Profile = Field(
        default=Profile.FUSION,
        description="`paper`: its model alone; `fusion`: contenders too, and the best one answers;"
        " `renewal`: no training, vectors and counters as of now, with new items",
    )
    model: KnownId | None = Field(
        default=None, description="with `renewal`: the model to renew, by default the live one"
    )
    no_attention: StrictBool = Field(default=False, description="ablation: without attention")
    no_graph: StrictBool = Field(default=False, description="ablation: without graph attention")

    @model_validator(mode="after")
    def _model_is_renewed(self) -> Self:
        if self.model is not None and self.profile is not Profile.RENEWAL:
            raise ValueError("model goes with the profile renewal")
        return self


class RunAsked(Taken):
    """Which run; without an id, the newest ones."""

    run_id: KnownId | None = None


class RunOut(BaseModel):
    """A run and how far it is."""

    run_id: str
    state: RunState
    profile: str
    stage: str
    progress: float
    requested_at: str | None
    started_at: str | None
    finished_at: str | None
    model_version: str | None
    error: str | None
    options: dict[str, Any]
    figures: dict[str, Any]


class RunRequestedOut(RunOut):
    """The run that is under way, and whether this call asked for it first."""

    created: bool


class RunsOut(BaseModel):
    """The newest runs, newest first."""

    items: list[RunOut]


class RunsAnswer(RootModel[RunOut | RunsOut]):
    """The run that was asked for; without an id, the newest ones."""


@bp.post("/v1/training-runs", responses={202: RunRequestedOut})
@requires(Scope.ADMIN)
@parsed
def post_training_run(body: RunWanted) -> Response:
    """Have a model trained.

    There is one run at a time: whoever asks while one is under way gets the same run id.
    """
    now = clock_ms()
    wanted = TrainingRun(
        run_id=RunId(f"t-{uuid.uuid4().hex}"),
        state=RunState.QUEUED,
        profile=body.profile,
        stage="queued",
        progress=0.0,
        requested_at=now,
        options=body.model_dump(exclude={"profile"}, exclude_defaults=True),
    )
    stale_before = now - parts().settings.training_stale_minutes * 60_000
    run, is_new = graph().write(training_runs.request, wanted, stale_before_ms=stale_before)
    if is_new:
        _enqueue(run)
    return json_answer({**run_body(run), "created": is_new}, status=202)


@bp.get("/v1/training-runs", responses={200: RunsAnswer})
@requires(Scope.ADMIN)
@parsed
def get_training_run(query: RunAsked) -> Response:
    """How a run goes; without ``run_id``, the newest runs."""
    if query.run_id is None:
        runs = graph().read(training_runs.latest, limit=20)
        return json_answer({"items": [run_body(run) for run in runs]})
    return json_answer(run_body(graph().read(training_runs.get, RunId(query.run_id))))


def run_body(run: TrainingRun) -> dict[str, Any]:
    """A run as it is answered."""
    return {
        "run_id": run.run_id,
        "state": run.state.value,
        "profile": run.profile,
        "stage": run.stage,
        "progress": run.progress,
        "requested_at": iso(run.requested_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "model_version": run.model_version,
        "error": run.error,
        "options": run.options,
        "figures": run.figures,
    }


def _enqueue(run: TrainingRun) -> None:
    """Hand the run to the workers; where that fails, close it, so that it blocks no later one."""
    try:
        parts().jobs.train(run.run_id, run.options)
    except JobsUnavailable:
        graph().write(
            training_runs.finish,
            run.run_id,
            state=RunState.FAILED,
            model_version=None,
            error="the job queue was away",
            figures={},
            now_ms=clock_ms(),
        )
        raise

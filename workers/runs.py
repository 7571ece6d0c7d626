"""Asks for a training run and follows it, as the command line does."""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from graph import training_runs
from graph.client import Graph
from graph.domain.ids import RunId
from graph.domain.models import RunState, TrainingRun
from workers.errors import JobsUnavailable, RunFailed
from workers.jobs import Jobs
from workers.leases import now_ms

STALE_MS = 10 * 60 * 1000
"""An active run without a sign of life for this long is in nobody's hands any more."""

MODEL = "model"
"""The option of a renewal that names the model to renew, where it is not the live one."""

POLL_S = 0.5
ENDED = (RunState.FINISHED, RunState.FAILED)


def request(
    graph: Graph, jobs: Jobs, *, profile: str, options: Mapping[str, Any]
) -> tuple[TrainingRun, bool]:
    """
    Write a run down and enqueue it; where one is under way, that one is the answer.

    Returns:
        The run, and whether it was asked for just now.

    Raises:
        JobsUnavailable: the broker is away; the run is closed again, so it blocks no later one.
    """
    now = now_ms()
    wanted = TrainingRun(
        run_id=RunId(f"t-{uuid.uuid4().hex}"),
        state=RunState.QUEUED,
        profile=profile,
        stage="queued",
        progress=0.0,
        requested_at=now,
        options=dict(options),
    )
    run, is_new = graph.write(training_runs.request, wanted, stale_before_ms=now - STALE_MS)
    if is_new:
        try:
            jobs.train(run.run_id, run.options)
        except JobsUnavailable as error:
            _close(graph, run, str(error))
            raise
    return run, is_new


def follow(
    graph: Graph,
    run_id: RunId,
    *,
    tell: Callable[[TrainingRun], None],
    check: Callable[[], None] = lambda: None,
    poll_s: float = POLL_S,
) -> TrainingRun:
    """
    Wait until a run has ended.

    Args:
        tell: called with the run at every look.
        check: called at every look; what it raises ends the waiting.

    Raises:
        RunFailed: it ended without a model; the sentence says why.
    """
    while True:
        run = graph.read(training_runs.get, run_id)
        tell(run)
        if run.state is RunState.FAILED:
            raise RunFailed(f"training run {run_id} failed: {run.error or 'no reason was given'}")
        if run.state in ENDED:
            return run
        check()
        time.sleep(poll_s)


def _close(graph: Graph, run: TrainingRun, reason: str) -> None:
    graph.write(
        training_runs.finish,
        run.run_id,
        state=RunState.FAILED,
        model_version=None,
        error=reason,
        figures={},
        now_ms=now_ms(),
    )

"""The training job: claim, pull, train, judge, write back, swap; exactly one at a time."""

import os
import secrets
import socket
from collections import Counter

import structlog
from celery import Task, shared_task
from celery.signals import worker_ready

from graph import training_runs
from graph.client import Graph
from graph.domain.ids import RunId
from graph.domain.models import RunState, TrainingRun
from graph.errors import GraphUnavailable, LeaseLost, UnknownRun
from graph.leases import Lease
from ml.errors import MLError
from workers.errors import GateRefused, JobsUnavailable, RunInterrupted
from workers.jobs import TRAIN, Jobs
from workers.leases import HeldLease, now_ms
from workers.progress import Reporter
from workers.settings import JobSettings
from workers.stages import Place, give_up_candidates, train_and_swap
from workers.wiring import Worker, parts

log = structlog.get_logger(__name__)

ACTIVE = (RunState.QUEUED, RunState.RUNNING)
RETRY_S = 10.0

_interrupted: Counter[str] = Counter()
"""Tries of a run that this process has survived; one that ended its worker leaves no entry."""


@shared_task(name=TRAIN, bind=True, max_retries=None)
def run(self: "Task[..., None]", run_id: str, options: dict[str, object]) -> None:
    """
    Work on a requested run until it ends; a copy of the job finds it ended and does nothing.

    The options are read from the run itself; what the message says of them is for its reader.
    """
    wired = parts(self.app)
    with structlog.contextvars.bound_contextvars(job_id=self.request.id, run_id=run_id):
        try:
            whole = _interrupted[run_id]
            attempt(wired.graph, wired.settings, RunId(run_id), owner=owner(), interrupted=whole)
        except (LeaseLost, GraphUnavailable, RunInterrupted) as error:
            # Another worker is at it, or died at it a moment ago: look again later.
            log.info("training_postponed", reason=str(error), retry_s=RETRY_S)
            _interrupted[run_id] += isinstance(error, RunInterrupted)
            raise self.retry(countdown=RETRY_S, exc=error) from error


def owner() -> str:
    """A name for this try that no other one has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def attempt(
    graph: Graph, settings: JobSettings, run_id: RunId, *, owner: str, interrupted: int = 0
) -> None:
    """
    Take the run, do it, and write down how it ended.

    Args:
        interrupted: earlier tries that did not end their worker.

    Raises:
        LeaseLost: somebody else holds it.
        GraphUnavailable: the graph is away; the run may be tried again.
        RunInterrupted: graph or lease went away in the middle; the run may be tried again.
    """
    if not _is_active(graph, run_id):
        log.info("training_already_ended")
        return
    lease: Lease = graph.write(
        training_runs.claim,
        run_id,
        owner,
        now_ms=now_ms(),
        ttl_ms=int(settings.lease_ttl_s * 1000),
    )
    with HeldLease(graph, lease, ttl_s=settings.lease_ttl_s) as held:
        if not _is_active(graph, run_id):
            return
        _guarded(graph, held, settings, graph.read(training_runs.get, run_id), interrupted)


def _guarded(
    graph: Graph, held: HeldLease, settings: JobSettings, wanted: TrainingRun, interrupted: int
) -> None:
    attempt = int(wanted.figures.get("attempts", 0)) + 1
    reporter = Reporter(held, wanted, attempt=attempt)
    if attempt - interrupted > settings.run_attempts:
        times = attempt - 1 - interrupted
        reporter.fail(f"the run ended its worker {times} times and was given up")
        return
    reporter.at("pull", 0.0, at_once=True)
    place = Place(
        settings.model_store,
        settings.keep_models,
        settings.training_memory_mb,
        settings.weights,
    )
    try:
        train_and_swap(graph, held, wanted, place, reporter)
    except (LeaseLost, GraphUnavailable) as error:
        raise RunInterrupted(f"stage {reporter.stage} could not go on: {error}") from error
    except (MLError, GateRefused) as error:
        reporter.fail(str(error))
    except Exception as error:
        give_up_candidates(graph, held)
        # Whatever it is, it must be seen on the run: nobody waits for the job itself.
        log.exception("training_broke")
        reporter.fail(f"{type(error).__name__} in stage {reporter.stage}; the log has the rest")


def _is_active(graph: Graph, run_id: RunId) -> bool:
    try:
        return graph.read(training_runs.get, run_id).state in ACTIVE
    except UnknownRun:
        # The graph was wiped since; there is nobody to tell.
        log.warning("training_run_unknown")
        return False


@worker_ready.connect
def resume(sender: object, **_: object) -> None:
    """
    Ask again for a run that a dead worker left behind.

    The broker would hand it out only after its visibility timeout. A run that is in good hands
    is not disturbed: the copy waits for its lease, then finds it ended.
    """
    app = getattr(sender, "app", None)
    if not isinstance(app, Worker):
        return
    try:
        left = [run for run in app.parts.graph.read(training_runs.latest, 1) if run.state in ACTIVE]
        for one in left:
            Jobs(app.parts.settings.broker_url).train(one.run_id, one.options)
            log.info("training_resumed", run_id=one.run_id)
    except (GraphUnavailable, JobsUnavailable) as error:
        log.warning("training_not_resumed", reason=str(error))
    finally:
        # The pool processes open their own driver.
        app.parts.graph.close()

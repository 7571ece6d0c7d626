"""Training runs: one at a time, with their progress on a node that everybody can read."""

import json
from collections.abc import Mapping
from typing import Any

from neo4j import ManagedTransaction, Record

from graph import leases
from graph.domain.ids import ModelVersion, RunId
from graph.domain.models import RunState, TrainingRun
from graph.errors import LeaseLost, UnknownRun
from graph.leases import Lease

LEASE = "training"


def request(
    tx: ManagedTransaction, run: TrainingRun, *, stale_before_ms: int
) -> tuple[TrainingRun, bool]:
    """
    Ask for a run; while one is waiting or at work, that one is the answer.

    Args:
        stale_before_ms: a run without a sign of life since then counts as failed.

    Returns:
        The run, and whether it is new.
    """
    _take_turns(tx)
    tx.run(
        """
        MATCH (r:TrainingRun)
        WHERE r.state IN ['queued', 'running'] AND r.touched_at < $stale_before_ms
        SET r.state = 'failed', r.error = 'no sign of life', r.finished_at = r.touched_at
        """,
        stale_before_ms=stale_before_ms,
    ).consume()
    record = tx.run(
        """
        MATCH (r:TrainingRun) WHERE r.state IN ['queued', 'running']
        RETURN r ORDER BY r.requested_at LIMIT 1
        """
    ).single()
    if record is not None:
        return _run(record), False
    tx.run(
        """
        MERGE (r:TrainingRun {run_id: $run_id})
        SET r += $about
        """,
        run_id=run.run_id,
        about={
            "state": run.state,
            "profile": run.profile,
            "stage": run.stage,
            "progress": run.progress,
            "requested_at": run.requested_at,
            "touched_at": run.requested_at,
            "options": json.dumps(run.options, sort_keys=True),
            "figures": json.dumps(run.figures, sort_keys=True),
        },
    ).consume()
    return get(tx, run.run_id), True


def claim(tx: ManagedTransaction, run_id: RunId, owner: str, *, now_ms: int, ttl_ms: int) -> Lease:
    """
    Start a run, or renew the right to go on with it.

    Raises:
        UnknownRun: there is no such run.
        LeaseLost: another process trains, or the run is over.
    """
    run = get(tx, run_id)
    if run.state not in (RunState.QUEUED, RunState.RUNNING):
        raise LeaseLost(f"the run is {run.state} already")
    lease = leases.acquire(tx, LEASE, owner, now_ms=now_ms, ttl_ms=ttl_ms)
    if lease is None:
        raise LeaseLost("another process is training")
    tx.run(
        """
        MATCH (r:TrainingRun {run_id: $run_id})
        SET r.state = 'running', r.touched_at = $now_ms,
            r.started_at = coalesce(r.started_at, $now_ms)
        """,
        run_id=run_id,
        now_ms=now_ms,
    ).consume()
    return lease


def progress(
    tx: ManagedTransaction,
    run_id: RunId,
    *,
    stage: str,
    progress: float,
    figures: Mapping[str, Any],
    now_ms: int,
) -> None:
    """
    Note how far a run is; figures are added to the ones before.

    Raises:
        UnknownRun: there is no such run.
        LeaseLost: the run was given up meanwhile; stop.
    """
    _take_turns(tx)
    run = get(tx, run_id)
    if run.state not in (RunState.QUEUED, RunState.RUNNING):
        raise LeaseLost(f"the run is {run.state} already")
    tx.run(
        """
        MATCH (r:TrainingRun {run_id: $run_id})
        SET r.stage = $stage, r.progress = $progress, r.figures = $figures,
            r.touched_at = $now_ms
        """,
        run_id=run_id,
        stage=stage,
        progress=progress,
        figures=json.dumps({**run.figures, **figures}, sort_keys=True),
        now_ms=now_ms,
    ).consume()


def finish(
    tx: ManagedTransaction,
    run_id: RunId,
    *,
    state: RunState,
    model_version: ModelVersion | None,
    error: str | None,
    figures: Mapping[str, Any],
    now_ms: int,
) -> None:
    """
    Close a run, as finished or failed; figures are added to the ones before.

    Raises:
        UnknownRun: there is no such run.
    """
    _take_turns(tx)
    run = get(tx, run_id)
    is_done = state is RunState.FINISHED
    tx.run(
        """
        MATCH (r:TrainingRun {run_id: $run_id})
        SET r += $about
        """,
        run_id=run_id,
        about={
            "state": state,
            "stage": "done" if is_done else run.stage,
            "progress": 1.0 if is_done else run.progress,
            "model_version": model_version,
            "error": error,
            "figures": json.dumps({**run.figures, **figures}, sort_keys=True),
            "finished_at": now_ms,
            "touched_at": now_ms,
        },
    ).consume()


def get(tx: ManagedTransaction, run_id: RunId) -> TrainingRun:
    """
    A run by its id.

    Raises:
        UnknownRun: there is none.
    """
    record = tx.run("MATCH (r:TrainingRun {run_id: $run_id}) RETURN r", run_id=run_id).single()
    if record is None:
        raise UnknownRun("no training run has that id")
    return _run(record)


def latest(tx: ManagedTransaction, limit: int) -> list[TrainingRun]:
    """The latest runs, newest first."""
    rows = tx.run(
        "MATCH (r:TrainingRun) RETURN r ORDER BY r.requested_at DESC, r.run_id LIMIT $limit",
        limit=limit,
    )
    return [_run(record) for record in rows]


def _take_turns(tx: ManagedTransaction) -> None:
    # A write lock on one node: what follows sees all that earlier holders committed.
    tx.run("MERGE (lease:Lease {name: $name}) SET lease.name = $name", name=LEASE).consume()


def _run(record: Record) -> TrainingRun:
    stored = dict(record["r"])
    version = stored.get("model_version")
    return TrainingRun(
        run_id=RunId(stored["run_id"]),
        state=RunState(stored["state"]),
        profile=stored["profile"],
        stage=stored["stage"],
        progress=float(stored["progress"]),
        requested_at=stored["requested_at"],
        started_at=stored.get("started_at"),
        finished_at=stored.get("finished_at"),
        model_version=None if version is None else ModelVersion(version),
        error=stored.get("error"),
        options=json.loads(stored["options"]),
        figures=json.loads(stored["figures"]),
    )

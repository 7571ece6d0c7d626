"""Renewing the live model: new vectors and counters for everybody and everything, no training."""

import shutil
from pathlib import Path

import structlog

from graph import models
from graph.client import Graph
from graph.domain.ids import ModelVersion
from graph.domain.models import Model, ModelStatus, Profile, TrainingRun
from graph.errors import UnknownModel
from ml import delivery
from ml.dataset import Interactions
from ml.delivery import TrainedModel
from workers.errors import GateRefused, JobsUnavailable
from workers.jobs import Jobs
from workers.leases import now_ms
from workers.runs import MODEL, request

log = structlog.get_logger(__name__)


def source_of(graph: Graph, run: TrainingRun, live: Model | None) -> Model | None:
    """
    The model whose weights a run takes; ``None`` for a run that learns its own.

    Raises:
        GateRefused: there is no such model, or it never answered.
    """
    if run.profile != Profile.RENEWAL:
        return None
    asked = run.options.get(MODEL)
    try:
        found = live if asked is None else graph.read(models.get, ModelVersion(str(asked)))
    except UnknownModel as error:
        raise GateRefused(f"there is no model {asked} to renew") from error
    if found is None:
        raise GateRefused("there is no model to renew yet")
    if found.status is ModelStatus.FAILED:
        raise GateRefused(f"{found.version} is a failed model: {found.reason}")
    return found


def renew(source: Path, data: Interactions, *, target: Path, version: str) -> TrainedModel:
    """A model folder with the weights of another one, as of the end of the data."""
    shutil.rmtree(target, ignore_errors=True)
    return delivery.refresh(source, data, target=target, version=version)


def ask_if_due(graph: Graph, jobs: Jobs, live: Model, newcomers: int, *, every_s: float) -> bool:
    """Have the live model renewed where new items wait and the last renewal is long ago enough."""
    if not newcomers or now_ms() - live.created_at < every_s * 1000:
        return False
    try:
        run, is_new = request(graph, jobs, profile=Profile.RENEWAL, options={})
    except JobsUnavailable as error:
        log.warning("renewal_not_asked", reason=str(error))
        return False
    log.info("renewal_asked", run_id=run.run_id, new_items=newcomers, is_new=is_new)
    return is_new

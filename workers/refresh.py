"""The refresh job: new vectors for people with new events, by the live model, without training."""

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import structlog
from celery import Task, shared_task
from neo4j import ManagedTransaction

from graph import models, pulls
from graph.client import Graph
from graph.domain.ids import UserId
from graph.domain.models import Model
from graph.errors import GraphUnavailable
from ml.dataset import Interactions
from ml.delivery import embed, newcomers
from workers.columns import pull
from workers.intake.changes import CatalogueChanges
from workers.intake.errors import StreamUnavailable
from workers.jobs import REFRESH, Jobs
from workers.renewal import ask_if_due
from workers.stages import Place
from workers.wiring import parts
from workers.writeback import BATCH

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the vectors of a model version have been brought."""

    version: str
    seq: int


@shared_task(name=REFRESH, bind=True, max_retries=3)
def run(self: "Task[..., None]") -> None:
    """Bring the stored vectors up to the newest event; safe to run twice."""
    wired = parts(self.app)
    settings, graph = wired.settings, wired.graph
    try:
        place = Place(settings.model_store, settings.keep_models)
        found = refresh(graph, place, CatalogueChanges(settings.broker_url))
        if found.live is not None:
            every_s, jobs = settings.renew_every_s, Jobs(settings.broker_url)
            ask_if_due(graph, jobs, found.live, found.new_items, every_s=every_s)
    except GraphUnavailable as error:
        raise self.retry(countdown=10, exc=error) from error


@dataclass(frozen=True, slots=True)
class Refreshed:
    """
    What a refresh has done, and what it could not do.

    Attributes:
        live: the model whose vectors were brought forward; ``None`` where none is live.
        people: how many people got a new vector.
        new_items: items with events, or made lately, that the model does not know.
    """

    live: Model | None
    people: int = 0
    new_items: int = 0


def refresh(graph: Graph, place: Place, changes: CatalogueChanges) -> Refreshed:
    """
    Write new vectors of everybody with events since the last time.

    Args:
        changes: is told, so that answers made with older vectors are outdated.
    """
    live = graph.read(models.live)
    if live is None:
        log.info("refresh_skipped", reason="no model is live")
        return Refreshed(None)
    since = _last_mark(place, live).seq
    if graph.read(pulls.last_seq) <= since:
        return Refreshed(live)
    pulled = pull(graph, place.cache, report=lambda _: None)
    people = pulled.people_since(since)
    written = _write(graph, live, place, pulled.interactions, people) if people else 0
    if written:
        _tell(changes)
    _keep_mark(place, Mark(live.version, pulled.data_seq))
    new_items = newcomers(place.store / live.version, pulled.interactions)
    log.info(
        "vectors_refreshed",
        people=written,
        since=since,
        upper=pulled.data_seq,
        new_items=new_items,
    )
    return Refreshed(live, written, new_items)


def _write(graph: Graph, live: Model, place: Place, data: Interactions, people: list[str]) -> int:
    found = embed(place.store / live.version, data, now_ms=data.end_ms, users=people)
    rows = (
        (UserId(user_id), vector.tolist())
        for user_id, vector in zip(found.user_ids, found.user_vectors, strict=True)
    )
    written = 0
    while batch := list(islice(rows, BATCH)):
        if not graph.write(_write_if_live, live, batch):
            log.info("refresh_stopped", reason="another model is live by now")
            break
        written += len(batch)
    return written


def _tell(changes: CatalogueChanges) -> None:
    try:
        changes.renewed()
    except StreamUnavailable:
        # Kept answers live a minute at most, with vectors that were right until now.
        log.warning("refresh_not_told")


def _write_if_live(
    tx: ManagedTransaction, model: Model, rows: list[tuple[UserId, list[float]]]
) -> bool:
    """Vectors of one model must not come among those of the next one."""
    now = models.live(tx)
    if now is None or now.version != model.version:
        return False
    models.write_user_embeddings(tx, model.slot, rows)
    return True


def _mark_file(place: Place) -> Path:
    return place.cache.with_name("refreshed.json")


def _last_mark(place: Place, live: Model) -> Mark:
    """Where the last refresh of this model ended; a fresh model has seen its training data."""
    try:
        kept = Mark(**json.loads(_mark_file(place).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        kept = Mark("", 0)
    return kept if kept.version == live.version else Mark(live.version, live.seen_seq)


def _keep_mark(place: Place, mark: Mark) -> None:
    draft = _mark_file(place).with_suffix(".part")
    draft.write_text(json.dumps({"version": mark.version, "seq": mark.seq}))
    draft.replace(_mark_file(place))

"""The stages of a training run, in order: pull, train, judge, write back, swap."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from graph import models, tombstones
from graph.client import Graph
from graph.domain.ids import ModelVersion
from graph.domain.models import NOT_SERVED, Model, ModelStatus, Slot, TrainingRun
from ml import delivered, training
from ml.config import PaperConfig, Progress
from ml.delivery import TrainedModel
from ml.memory import MIB, check_memory
from workers.cleaning import clean
from workers.columns import Pulled, pull
from workers.errors import GateRefused
from workers.free_memory import free_bytes
from workers.leases import HeldLease, now_ms
from workers.privacy.model_files import CACHE, ModelFiles
from workers.progress import Reporter
from workers.quality.gate import refuse_blocked
from workers.renewal import renew, source_of
from workers.rules import configured, is_ablation, is_up_to_date, refusal
from workers.writeback import Vectors, swap, write_back

log = structlog.get_logger(__name__)

# Shares of the whole at which the stages begin and end; training is by far the longest.
_PULL_ENDS = 0.08
_TRAIN_ENDS = 0.90
_WRITE_ENDS = 0.99


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where models are kept.

    Attributes:
        store: one folder per version below it.
        keep: how many of them stay.
        memory_mb: the most that a run may take; ``None``: what is free.
        weights: what one event counts by behaviour, where it is not the usual.
    """

    store: Path
    keep: int
    memory_mb: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        """The pulled arrays."""
        return self.store / CACHE


def train_and_swap(
    graph: Graph, held: HeldLease, run: TrainingRun, place: Place, reporter: Reporter
) -> None:
    """
    Do a whole run; at its end a new model answers, or it is said why none does.

    Raises:
        NotEnoughData, NotEnoughMemory, TrainingDiverged, GateRefused: the model before stays.
        LeaseLost: somebody else does this run now.
    """
    config = configured(run, place.weights)
    give_up_candidates(graph, held)
    flagged = clean(graph)
    # Asked before the events are: of whoever is erased later, some may be among them.
    erasures = graph.write(tombstones.number)
    pulled = pull(graph, place.cache, report=lambda share: reporter.at("pull", share * _PULL_ENDS))
    reporter.at(
        "pull",
        _PULL_ENDS,
        {
            "events": len(pulled.interactions),
            "fresh_events": pulled.fresh,
            "cleaned": {
                "flagged": flagged,
                "left_out": pulled.set_aside,
                "sequences": pulled.sequences(config.steps),
            },
        },
        at_once=True,
    )
    live = graph.read(models.live)
    if live is not None and _names(run).fullmatch(live.version):
        # The try before was killed between the swap and the last word of the run.
        reporter.finish(live.version, {"metrics": live.metrics})
        return
    source = source_of(graph, run, live)
    if live is not None and is_up_to_date(
        live, run, config, (pulled.data_seq, erasures), place.store
    ):
        note = "no new events since the live model; training was skipped"
        reporter.finish(live.version, {"note": note, "metrics": live.metrics})
        return
    if source is None:
        refuse_blocked(graph, reporter, share=_PULL_ENDS, now_ms=now_ms())
    _check_memory(pulled, config, place, reporter)
    made = _trained(pulled, run, config, place, reporter, source)
    files, trained = ModelFiles(place.store, graph), made.trained
    files.sweep()
    model = _candidate(made, run, erasures, source, graph.read(models.idle_slot))
    reporter.at("gate", _TRAIN_ENDS, {"metrics": trained.metrics}, at_once=True)
    # Weights that answered already have passed the gate; what is counted anew has no figures.
    reason = None if source else refusal(trained.metrics, config, trained.champion)
    if reason is not None:
        _keep_unserved(held, model, reason, reporter, config)
        return
    _serve(graph, held, model, trained, reporter, files)
    prune(place, keep={model.version} | ({live.version} if live else set()))
    reporter.finish(model.version, {"metrics": trained.metrics})


@dataclass(frozen=True, slots=True)
class _Made:
    """
    The model of a run.

    Attributes:
        seq: the last event that it has seen.
        is_taken_up: an earlier try of the run had made it.
    """

    seq: int
    trained: TrainedModel
    is_taken_up: bool = False


def _candidate(
    made: _Made, run: TrainingRun, erasures: int, source: Model | None, slot: Slot
) -> Model:
    """The model of a run as it is written down before its vectors are."""
    trained = made.trained
    if made.is_taken_up:
        erasures = 0  # nobody can say any more how many there were
    return Model(
        version=ModelVersion(trained.version),
        status=ModelStatus.CANDIDATE,
        slot=slot,
        profile=source.profile if source else run.profile,
        as_of_ms=trained.as_of_ms,
        data_seq=source.data_seq if source else made.seq,
        vectors_seq=made.seq,
        erasures=source.erasures if source else erasures,
        created_at=now_ms(),
        metrics=trained.metrics,
        champion=trained.champion,
    )


def _check_memory(pulled: Pulled, config: PaperConfig, place: Place, reporter: Reporter) -> None:
    """A sentence now is better than a worker that the system ends in the middle."""
    free = free_bytes() if place.memory_mb is None else place.memory_mb * MIB
    needed = check_memory(pulled.interactions, config, free)
    told = {"memory_needed_mb": needed // MIB, "memory_free_mb": free // MIB}
    log.info("training_memory", **told)
    reporter.at("pull", _PULL_ENDS, told)


def version_of(run: TrainingRun, data_seq: int, *, attempt: int) -> ModelVersion:
    """A name that says which events the model has seen, and which try of which run made it."""
    again = f"-{attempt}" if attempt > 1 else ""
    return ModelVersion(f"m-{data_seq}-{run.run_id[-8:]}{again}")


def _names(run: TrainingRun) -> re.Pattern[str]:
    return re.compile(rf"m-([0-9]+)-{re.escape(run.run_id[-8:])}(-[0-9]+)?")


def left_behind(place: Place, run: TrainingRun) -> list[tuple[int, Path]]:
    """Folders of a run's earlier tries, newest first, each with the last event it has seen."""
    found = [
        (int(match[1]), path)
        for path in (place.store.iterdir() if place.store.is_dir() else ())
        if (match := _names(run).fullmatch(path.name)) and path.is_dir()
    ]
    return sorted(found, key=lambda one: one[1].stat().st_mtime, reverse=True)


def prune(place: Place, *, keep: set[ModelVersion]) -> None:
    """Remove the oldest model folders beyond the number that is kept."""
    folders = sorted(
        (path for path in place.store.iterdir() if path.is_dir() and path.name.startswith("m-")),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for folder in folders[place.keep :]:
        if folder.name not in keep:
            shutil.rmtree(folder)
            log.info("model_folder_removed", version=folder.name)


def _trained(
    pulled: Pulled,
    run: TrainingRun,
    config: PaperConfig,
    place: Place,
    reporter: Reporter,
    source: Model | None,
) -> _Made:
    """
    The run's model.

    Args:
        source: the model whose weights are taken in place of learning.

    A try that was killed after it had trained left a whole folder; this one goes on from there.
    """
    for seq, folder in left_behind(place, run) if reporter.attempt > 1 else ():
        version = version_of(run, seq, attempt=reporter.attempt)
        moved = folder.rename(place.store / version)
        kept = delivered.find(moved, version)
        if kept is not None:
            log.info("training_taken_up", version=version, left_by=folder.name)
            reporter.at("export", _TRAIN_ENDS, {"taken_up": folder.name})
            return _Made(seq, kept, is_taken_up=True)
        shutil.rmtree(moved)
    version = version_of(run, pulled.data_seq, attempt=reporter.attempt)
    folder = place.store / version
    if source is not None:
        reporter.at("renew", _PULL_ENDS, {"renewed": source.version}, at_once=True)
        old = place.store / source.version
        trained = renew(old, pulled.interactions, target=folder, version=version)
    else:
        trained = _train(pulled, config, folder, version, reporter)
    delivered.keep(trained)
    return _Made(pulled.data_seq, trained)


def _train(
    pulled: Pulled, config: PaperConfig, folder: Path, version: ModelVersion, reporter: Reporter
) -> TrainedModel:
    # What a killed try has left behind is no model: a folder counts once its manifest is there.
    shutil.rmtree(folder, ignore_errors=True)

    def report(said: Progress) -> None:
        share = _PULL_ENDS + said.share * (_TRAIN_ENDS - _PULL_ENDS)
        reporter.at("export" if said.stage == "done" else said.stage, share, dict(said.figures))

    return training.train(
        pulled.interactions, config, folder=folder, version=version, report=report
    )


def _serve(
    graph: Graph,
    held: HeldLease,
    model: Model,
    trained: TrainedModel,
    reporter: Reporter,
    files: ModelFiles,
) -> None:
    held.write(models.create, model)
    vectors = Vectors(
        user_ids=trained.user_ids,
        users=trained.user_vectors,
        item_ids=trained.item_ids,
        items=trained.item_vectors,
        similar=trained.similar,
    )
    span = _WRITE_ENDS - _TRAIN_ENDS
    write_back(
        graph,
        held,
        model,
        vectors,
        report=lambda share: reporter.at("write", _TRAIN_ENDS + share * span),
    )
    reporter.at("swap", _WRITE_ENDS, at_once=True)
    while not swap(held, model.version, files.sweep()):
        log.info("model_swept_again", version=model.version)


def give_up_candidates(graph: Graph, held: HeldLease) -> None:
    """Mark what a killed or failed try left half written; whoever holds the lease may."""
    for model in graph.read(models.all_models):
        if model.status is ModelStatus.CANDIDATE:
            held.write(models.fail, model.version, "its run ended before it was written")


def _keep_unserved(
    held: HeldLease, model: Model, reason: str, reporter: Reporter, config: PaperConfig
) -> None:
    """Write the model down as one that never answered; an ablation has done its duty so."""
    held.write(models.create, replace(model, status=ModelStatus.FAILED, reason=NOT_SERVED + reason))
    if not is_ablation(config):
        raise GateRefused(f"the model was not put to work: {reason}")
    reporter.finish(model.version, {"metrics": model.metrics, "note": reason})

"""The stages of a training run, in order: pull, train, judge, write back, swap."""

import math
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import structlog

from graph import models
from graph.client import Graph
from graph.domain.ids import ModelVersion
from graph.domain.models import NOT_SERVED, Model, ModelStatus, Profile, TrainingRun
from ml import delivered, training
from ml.config import PaperConfig, Progress
from ml.delivery import TrainedModel
from workers.columns import Pulled, pull
from workers.errors import GateRefused
from workers.leases import HeldLease, now_ms
from workers.progress import Reporter
from workers.writeback import Vectors, swap, write_back

log = structlog.get_logger(__name__)

# Shares of the whole at which the stages begin and end; training is by far the longest.
_PULL_ENDS = 0.08
_TRAIN_ENDS = 0.90
_WRITE_ENDS = 0.99

TOLERANCE = 0.0
"""A model must beat popularity by more than this, in average precision on the last slice."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where models are kept.

    Attributes:
        store: one folder per version below it.
        keep: how many of them stay.
    """

    store: Path
    keep: int

    @property
    def cache(self) -> Path:
        """The pulled arrays."""
        return self.store / ".cache" / "edges.npz"


def train_and_swap(
    graph: Graph, held: HeldLease, run: TrainingRun, place: Place, reporter: Reporter
) -> None:
    """
    Do a whole run; at its end a new model answers, or it is said why none does.

    Raises:
        NotEnoughData, TrainingDiverged, GateRefused: the model before stays.
        LeaseLost: somebody else does this run now.
    """
    config = configured(run)
    give_up_candidates(graph, held)
    pulled = pull(graph, place.cache, report=lambda share: reporter.at("pull", share * _PULL_ENDS))
    reporter.at(
        "pull",
        _PULL_ENDS,
        {"events": len(pulled.interactions), "fresh_events": pulled.fresh},
        at_once=True,
    )
    live = graph.read(models.live)
    if live is not None and _names(run).fullmatch(live.version):
        # The try before was killed between the swap and the last word of the run.
        reporter.finish(live.version, {"metrics": live.metrics})
        return
    if live is not None and is_up_to_date(live, run, pulled):
        note = "no new events since the live model; training was skipped"
        reporter.finish(live.version, {"note": note, "metrics": live.metrics})
        return
    seq, trained = _trained(pulled, run, config, place, reporter)
    version = ModelVersion(trained.version)
    model = Model(
        version=version,
        status=ModelStatus.CANDIDATE,
        slot=graph.read(models.idle_slot),
        profile=run.profile,
        as_of_ms=trained.as_of_ms,
        data_seq=seq,
        created_at=now_ms(),
        metrics=trained.metrics,
        champion=trained.champion,
    )
    reporter.at("gate", _TRAIN_ENDS, {"metrics": trained.metrics}, at_once=True)
    reason = refusal(trained.metrics, config, trained.champion)
    if reason is not None:
        _keep_unserved(held, model, reason, reporter, config)
        return
    _serve(graph, held, model, trained, reporter)
    prune(place, keep={version} | ({live.version} if live else set()))
    reporter.finish(version, {"metrics": trained.metrics})


def configured(run: TrainingRun) -> PaperConfig:
    """The run's profile and options as hyper-parameters: switches, and numbers for small worlds."""
    options = run.options
    known = {field.name for field in fields(PaperConfig)}
    return replace(
        PaperConfig(**{name: value for name, value in options.items() if name in known}),
        contenders=run.profile != Profile.PAPER,
        attention=not options.get("no_attention", False),
        graph=not options.get("no_graph", False),
    )


def is_up_to_date(live: Model, run: TrainingRun, pulled: Pulled) -> bool:
    """Whether the same training on the same events is live already, and was not insisted on."""
    return (
        not run.options.get("force", False)
        and live.profile == run.profile
        and live.data_seq == pulled.data_seq
        and not is_ablation(configured(run))
    )


def is_ablation(config: PaperConfig) -> bool:
    """Whether a part of the model is switched off, to see what it is worth."""
    return not (config.attention and config.graph)


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


def refusal(metrics: Mapping[str, float], config: PaperConfig, champion: str) -> str | None:
    """
    Why a model may not answer; ``None`` when it may.

    It may not when a figure is missing or not finite, when it is no better than popularity on the
    last slice, or when it is an ablation.
    """
    ours, popular = (metrics.get(f"test_{name}_ap", math.nan) for name in (champion, "popularity"))
    broken = sorted(name for name, value in metrics.items() if not math.isfinite(value))
    if broken:
        return f"figures are not finite: {', '.join(broken)}"
    if not (math.isfinite(ours) and math.isfinite(popular)):
        return "the last slice has no average precision to compare"
    if ours <= popular + TOLERANCE:
        return f"AP {ours:.4f} on the last slice is not above popularity's {popular:.4f}"
    if is_ablation(config):
        return "an ablation is measured, not served"
    return None


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
    pulled: Pulled, run: TrainingRun, config: PaperConfig, place: Place, reporter: Reporter
) -> tuple[int, TrainedModel]:
    """
    The run's model, and the last event that it has seen.

    A try that was killed after it had trained left a whole folder; this one goes on from there.
    """
    for seq, folder in left_behind(place, run) if reporter.attempt > 1 else ():
        version = version_of(run, seq, attempt=reporter.attempt)
        moved = folder.rename(place.store / version)
        kept = delivered.find(moved, version)
        if kept is not None:
            log.info("training_taken_up", version=version, left_by=folder.name)
            reporter.at("export", _TRAIN_ENDS, {"taken_up": folder.name})
            return seq, kept
        shutil.rmtree(moved)
    version = version_of(run, pulled.data_seq, attempt=reporter.attempt)
    trained = _train(pulled, config, place.store / version, version, reporter)
    delivered.keep(trained)
    return pulled.data_seq, trained


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
    swap(held, model.version)


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

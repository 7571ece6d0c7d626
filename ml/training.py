"""The whole way from behaviour to a model folder, and the short way that renews its vectors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import structlog
import torch
from numpy.typing import NDArray

from ml.batches import PoolBatches, Rows, Scene
from ml.calibration import Platt, fit_platt, undo_sampling
from ml.config import PaperConfig, Progress, Report, ignore
from ml.dataset import Interactions
from ml.errors import NotEnoughData
from ml.evaluation.comparison import Comparison, compare, flat
from ml.evaluation.pools import Pool, moment, touched_pool, training_pool
from ml.evaluation.splits import Cutoffs, TimeSplit, cutoffs, time_split
from ml.export import Embedded, Fitted, embed_rows, export, load_fitted, similar_items, with_padding
from ml.fitting import Epoch, fit, standardise
from ml.models import BASELINES
from ml.models.item2vec import item2vec
from ml.models.paper import PaperModel
from ml.scoring import score_pool
from ml.serving.head import Floats
from ml.timelines import Timelines

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """
    A model folder, and what goes back into the graph.

    Attributes:
        metrics: flat figures such as ``test_paper_ap``, each set with its base rate; and
            ``repeats_exactly``, 1 when the same seed gives the same vectors to the last bit,
            which sums over several threads do not promise.
        report: the same by set, then model: ``report["test"]["paper"]["ap"]``.
        user_ids, user_vectors: people with events, and (n, 64).
        item_ids, item_vectors: all items, and (V, 64).
        similar: (item, its neighbour, cosine), best first within an item.
    """

    version: str
    folder: Path
    as_of_ms: int
    metrics: dict[str, float]
    report: Comparison
    user_ids: list[str]
    user_vectors: Floats
    item_ids: list[str]
    item_vectors: Floats
    similar: list[tuple[str, str, float]]


@dataclass(frozen=True, slots=True)
class _Parts:
    """Pools and scenes by cutoff: to fit on, to stop on, to calibrate on, to be tested on."""

    train: list[Pool]
    stop: list[Pool]
    calibrate: list[Pool]
    test: list[Pool]
    new: list[Pool]


def train(
    interactions: Interactions,
    config: PaperConfig | None = None,
    *,
    folder: Path,
    version: str,
    report: Report = ignore,
) -> TrainedModel:
    """
    Split, fit, calibrate, evaluate beside the baselines, then export as of the end of the data.

    Raises:
        NotEnoughData: the data cannot fill the parts; says with which numbers.
        TrainingDiverged: a loss or weight was not finite; nothing was exported.
    """
    config = config or PaperConfig()
    with _seeded(config):
        return _Run(interactions, config, report).train(folder, version)


def refresh(
    folder: Path, interactions: Interactions, *, target: Path, version: str
) -> TrainedModel:
    """
    The same weights with vectors and counters as of the end of ``interactions``; no training.

    Raises:
        ModelBroken: ``folder`` was changed or is not complete.
    """
    fitted = load_fitted(folder, interactions)
    with _seeded(fitted.config):
        return _deliver(fitted, interactions, {}, target, version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """Embeddings as of a moment: (n, 64) beside ``user_ids``, (V, 64) beside ``item_ids``."""

    user_ids: list[str]
    user_vectors: Floats
    item_ids: list[str]
    item_vectors: Floats


def embed(
    folder: Path, interactions: Interactions, *, now_ms: int, users: Sequence[str] | None = None
) -> Vectors:
    """
    Vectors by the trained weights of ``folder`` from events before ``now_ms``; no training.

    Args:
        users: only these people, unknown ones are left out; ``None`` means all with events.

    Raises:
        ModelBroken: ``folder`` was changed or is not complete.
    """
    fitted = load_fitted(folder, interactions)
    rows = None
    if users is not None:
        index = {user_id: row for row, user_id in enumerate(interactions.user_ids)}
        rows = np.array([index[user_id] for user_id in users if user_id in index], np.int64)
    with _seeded(fitted.config):
        found = embed_rows(fitted, interactions, now_ms, rows)
    return Vectors(
        user_ids=[interactions.user_ids[row] for row in found.users],
        user_vectors=found.user_vectors,
        item_ids=list(interactions.catalogue.item_ids),
        item_vectors=found.item_vectors,
    )


class _Run:
    """One training run; the steps share the log's sorted look-back lines."""

    def __init__(self, data: Interactions, config: PaperConfig, report: Report) -> None:
        self._data = data
        self._config = config
        self._report = report
        self._lines = Timelines(data)

    def train(self, folder: Path, version: str) -> TrainedModel:
        split = self._split()
        self._tell("item2vec", 0.02, {"tied_share": split.tied_share})
        table = with_padding(item2vec(self._data.before(split.train_end_ms), self._config))
        parts = self._pools(cutoffs(split, self._config))
        model = self._fit(table, parts)
        fitted, found = self._evaluate(model, table, parts)
        self._tell("export", 0.88, flat(found))
        delivered = _deliver(fitted, self._data, found, folder, version)
        self._tell("done", 1.0, delivered.metrics)
        return delivered

    def _tell(self, stage: str, share: float, figures: dict[str, float] | None = None) -> None:
        self._report(Progress(stage, share, figures or {}))

    def _split(self) -> TimeSplit:
        people = len(np.unique(self._data.user))
        if people < 2:
            raise NotEnoughData("too few people with events", people=people, needed=2)
        return time_split(self._data)

    def _pools(self, at: Cutoffs) -> _Parts:
        config, rng = self._config, np.random.default_rng(self._config.seed)
        half = len(at.validation) // 2
        stop, calibrate = at.validation[:half], at.validation[half:]
        # With one validation cutoff there is no later slice; it then serves both purposes.
        parts = _Parts([], [], [], [], [])
        wanted = [
            *((cutoff, parts.train, None) for cutoff in at.train),
            *((cutoff, parts.stop, None) for cutoff in stop or calibrate),
            *((cutoff, parts.calibrate, parts.new) for cutoff in calibrate),
            *((cutoff, parts.test, None) for cutoff in at.test),
        ]
        for done, (cutoff, pools, new) in enumerate(wanted, 1):
            now = moment(self._data, cutoff, config)
            is_whole = pools is parts.calibrate or pools is parts.test
            pools.append(touched_pool(now) if is_whole else training_pool(now, config, rng))
            if new is not None:
                drawn = training_pool(now, config, rng)
                new.append(drawn.take(~drawn.touched))
            self._tell("features", 0.1 + 0.12 * done / len(wanted))
        self._check(parts)
        return parts

    def _check(self, parts: _Parts) -> None:
        for name in ("train", "stop", "calibrate", "test"):
            pools: list[Pool] = getattr(parts, name)
            pairs = sum(len(pool) for pool in pools)
            positives = sum(int((pool.label & pool.touched).sum()) for pool in pools)
            if min(positives, pairs - positives) < self._config.min_positives:
                raise NotEnoughData(
                    f"the {name} part has too few pairs of one class",
                    positives=positives,
                    negatives=pairs - positives,
                    needed=self._config.min_positives,
                )

    def _batches(self, table: torch.Tensor, pools: list[Pool]) -> list[PoolBatches]:
        return [
            PoolBatches(pool, self._scene(table, pool), self._config.batch_people)
            for pool in pools
            if len(pool)
        ]

    def _scene(self, table: torch.Tensor, pool: Pool) -> Scene:
        return Scene(self._lines, int(pool.cutoff[0]), table, self._config)

    def _fit(self, table: torch.Tensor, parts: _Parts) -> PaperModel:
        model = PaperModel(self._config)
        standardise(model, Pool.join(parts.train))

        def tell(epoch: Epoch) -> None:
            figures = {
                "epoch": float(epoch.number),
                "train_loss": epoch.train_loss,
                "validation_loss": epoch.validation_loss,
            }
            log.info("epoch", **figures)
            self._tell("fit", 0.22 + 0.53 * epoch.number / self._config.max_epochs, figures)

        self._tell("fit", 0.22, {"pairs": float(sum(len(pool) for pool in parts.train))})
        fit(
            model,
            self._batches(table, parts.train),
            self._batches(table, parts.stop),
            self._config,
            tell,
        )
        return model

    def _evaluate(
        self, model: PaperModel, table: torch.Tensor, parts: _Parts
    ) -> tuple[Fitted, Comparison]:
        self._tell("evaluate", 0.75)
        shift = np.log(self._config.negative_share)
        pools = {
            "validation": Pool.join(parts.calibrate),
            "test": Pool.join(parts.test),
        }
        logits: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in pools}
        for name, each in (("validation", parts.calibrate), ("test", parts.test)):
            found = [score_pool(model, self._scene(table, pool), pool) for pool in each]
            logits[name]["paper"] = undo_sampling(
                np.concatenate(found), self._config.negative_share
            )
            self._tell("evaluate", 0.8 if name == "validation" else 0.84)
        learn = Pool.join(parts.train)
        for name, make in BASELINES.items():
            baseline = make()
            baseline.fit(learn)
            for part, pool in pools.items():
                logits[part][name] = baseline.logits(pool)
        compared, calibrations = compare(pools, logits, self._config)
        touched = calibrations["paper"]
        new = self._calibrate_new(model, table, parts.new, touched)
        # Serving applies the calibration to raw logits, so the prior's shift moves into it.
        fitted = Fitted(
            model=model,
            table=table,
            item_ids=list(self._data.catalogue.item_ids),
            config=self._config,
            touched=replace(touched, intercept=touched.intercept + touched.slope * shift),
            new=new,
            metrics=flat(compared) | {"repeats_exactly": float(self._config.threads == 1)},
        )
        return fitted, compared

    def _calibrate_new(
        self, model: PaperModel, table: torch.Tensor, pools: list[Pool], touched: Platt
    ) -> Platt:
        """Pairs never touched were sampled at another rate, so they have their own line."""
        pools = [pool for pool in pools if len(pool)]
        if not pools:
            return touched
        joined = Pool.join(pools)
        logit = np.concatenate([score_pool(model, self._scene(table, one), one) for one in pools])
        if not 0 < joined.label.sum() < len(joined):
            return touched
        return fit_platt(joined.label, logit, joined.weight)


def _deliver(
    fitted: Fitted, data: Interactions, compared: Comparison, folder: Path, version: str
) -> TrainedModel:
    """Vectors as of the end of the data, the folder, and the neighbours of items."""
    now_ms = data.settled_end_ms
    found = embed_rows(fitted, data, now_ms)
    export(fitted, data, found, folder=folder, version=version, now_ms=now_ms)
    return TrainedModel(
        version=version,
        folder=folder,
        as_of_ms=now_ms,
        metrics=fitted.metrics,
        report=compared,
        user_ids=[data.user_ids[row] for row in found.users],
        user_vectors=found.user_vectors,
        item_ids=list(data.catalogue.item_ids),
        item_vectors=found.item_vectors,
        similar=_neighbours(data, found, fitted.config),
    )


def _neighbours(
    data: Interactions, found: Embedded, config: PaperConfig
) -> list[tuple[str, str, float]]:
    counts = np.bincount(data.item, minlength=data.n_items)
    rows: Rows = np.flatnonzero(counts >= config.similar_min_events)
    near, cosines = similar_items(found.item_directions, rows, config.similar_count)
    ids = data.catalogue.item_ids
    return [
        (ids[row], ids[other], cosine)
        for row, others, values in zip(rows.tolist(), near.tolist(), cosines.tolist(), strict=True)
        for other, cosine in zip(others, values, strict=True)
    ]


@contextmanager
def _seeded(config: PaperConfig) -> Iterator[None]:
    """Torch's chance and threads for one run, put back afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

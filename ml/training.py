"""The whole way from behaviour to a model folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import structlog
import torch
from numpy.typing import NDArray

from ml.batches import PoolBatches, Scene
from ml.calibration import Platt, fit_platt, undo_sampling
from ml.config import DAY_MS, PaperConfig, Progress, Report, ignore
from ml.contenders import Contenders
from ml.dataset import Interactions
from ml.delivery import TrainedModel, deliver, seeded
from ml.distinct import distinct
from ml.errors import NotEnoughData
from ml.evaluation.comparison import Comparison, flat
from ml.evaluation.pools import Pool
from ml.evaluation.splits import Cutoffs, TimeSplit, cutoffs, time_split
from ml.export import Fitted, directions, listed, with_padding
from ml.features.items import item_counters
from ml.fitting import Epoch, fit, standardise
from ml.judging import judge
from ml.models.item2vec import item2vec
from ml.models.paper import PaperModel
from ml.parts import Parts, split_into_parts
from ml.scoring import item_vectors, score_pool
from ml.strangers import Shelf, judge_strangers
from ml.strangers import Verdict as ForStrangers
from ml.timelines import Timelines

log = structlog.get_logger(__name__)


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
        ValueError: a weight of no behaviour.
        TrainingDiverged: a loss or weight was not finite; nothing was exported.
    """
    config = config or PaperConfig()
    data = interactions.weighed(config.behaviour_weights)
    with seeded(config):
        return _Run(data, config, report).train(folder, version)


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
        at = cutoffs(split, self._config)
        parts = self._parts(at)
        model = self._fit(table, parts)
        fitted, found = self._evaluate(model, table, parts)
        if self._config.contenders:
            self._tell("strangers", 0.85)
            cutoff = at.validation[len(at.validation) // 2]
            judged = self._strangers(model, table, cutoff, split.validation_end_ms)
            metrics = fitted.metrics | judged.figures
            fitted = replace(fitted, strangers=judged.blend, metrics=metrics)
        self._tell("export", 0.88, flat(found))
        delivered = deliver(fitted, self._data, found, folder, version)
        self._tell("done", 1.0, delivered.metrics)
        return delivered

    def _tell(self, stage: str, share: float, figures: dict[str, float] | None = None) -> None:
        self._report(Progress(stage, share, figures or {}))

    def _split(self) -> TimeSplit:
        people = len(distinct(self._data.user))
        if people < 2:
            raise NotEnoughData("too few people with events", people=people, needed=2)
        return time_split(self._data, label_ms=self._config.horizon_days * DAY_MS)

    def _parts(self, at: Cutoffs) -> Parts:
        return split_into_parts(
            self._data, at, self._config, lambda share: self._tell("features", 0.1 + 0.12 * share)
        )

    def _batches(self, table: torch.Tensor, pools: list[Pool]) -> list[PoolBatches]:
        return [
            PoolBatches(pool, self._scene(table, pool), self._config.batch_people)
            for pool in pools
            if len(pool)
        ]

    def _scene(self, table: torch.Tensor, pool: Pool) -> Scene:
        return Scene(self._lines, int(pool.cutoff[0]), table, self._config)

    def _fit(self, table: torch.Tensor, parts: Parts) -> PaperModel:
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
        self, model: PaperModel, table: torch.Tensor, parts: Parts
    ) -> tuple[Fitted, Comparison]:
        self._tell("contenders", 0.75)
        contenders = Contenders(self._data, self._config)
        if self._config.contenders:
            contenders.fit(parts)
        self._tell("evaluate", 0.8)
        logits = {
            "validation": self._paper_logits(model, table, parts.calibrate),
            "test": self._paper_logits(model, table, parts.test),
        }
        verdict = judge(parts, logits, contenders, self._config)
        touched = verdict.calibrations["paper"]
        # Serving applies the calibration to raw logits, so the prior's shift moves into it.
        shift = touched.slope * np.log(self._config.negative_share)
        fitted = Fitted(
            model=model,
            table=table,
            item_ids=list(self._data.catalogue.item_ids),
            config=self._config,
            touched=replace(touched, intercept=touched.intercept + shift),
            new=self._calibrate_new(model, table, parts.new, touched),
            champion=contenders.as_champion(verdict.champion, verdict.calibrations),
            metrics=flat(verdict.compared) | {"repeats_exactly": float(self._config.threads == 1)},
        )
        return fitted, verdict.compared

    def _strangers(
        self, model: PaperModel, table: torch.Tensor, cutoff: int, end: int
    ) -> ForStrangers:
        """Asked from the slice that chooses the champion; the test part is not looked at."""
        scene = Scene(self._lines, cutoff, table, self._config)
        graph = item_vectors(model, scene, np.arange(self._data.n_items)).graph
        shelf = Shelf(
            direction=directions(table, graph),
            popularity=item_counters(self._data, cutoff, self._config.window_days).popularity,
            is_listed=listed(self._data, cutoff),
            weights=self._data.weights,
        )
        return judge_strangers(self._data, cutoff, end, shelf, self._config)

    def _paper_logits(
        self, model: PaperModel, table: torch.Tensor, pools: list[Pool]
    ) -> NDArray[np.float64]:
        """(P,) log-odds at the natural rate of the pairs of several cutoffs."""
        found = [score_pool(model, self._scene(table, pool), pool) for pool in pools]
        return undo_sampling(np.concatenate(found), self._config.negative_share)

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

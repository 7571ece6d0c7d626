"""The paper's model and its parts, trained on Alibaba 2014 at fixed cutoffs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ml.batches import PoolBatches, Scene
from ml.calibration import undo_sampling
from ml.config import DAY_MS, PaperConfig
from ml.dataset import Interactions
from ml.evaluation.meter import Meter
from ml.evaluation.pools import Pool, moment, touched_pool
from ml.export import with_padding
from ml.fitting import fit, standardise
from ml.models.item2vec import item2vec
from ml.models.paper import PaperModel
from ml.scoring import score_pool
from ml.studies.alibaba_data import HORIZON_DAYS, WINDOW_DAYS
from ml.studies.alibaba_models import Said
from ml.timelines import Timelines

VARIANTS: dict[str, dict[str, bool]] = {
    "LSTM alone": {"attention": False, "graph": False, "counters": False},
    "GAT alone": {"sequence": False, "counters": False},
    "paper": {},
    "paper without attention": {"attention": False},
    "paper without graph": {"graph": False},
}
"""Names of the report, and what is switched."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Days whose pairs are learned from, the day that stops training, and the days answered."""

    train: tuple[int, ...]
    stop: int
    answer: tuple[int, ...]


class PaperRuns:
    """Trains variants on folds; pools and look-back tables are made once."""

    def __init__(self, data: Interactions, *, quick: bool = False) -> None:
        """Look at the data; ``quick`` learns for three passes at most."""
        config = PaperConfig(horizon_days=HORIZON_DAYS, window_days=WINDOW_DAYS, threads=1)
        self._config = replace(config, max_epochs=3) if quick else config
        self._data = data
        self._lines = Timelines(data)
        self._pools: dict[int, Pool] = {}
        self._tables: dict[tuple[int, int], torch.Tensor] = {}
        self.losses: dict[str, list[float]] = {}

    def run(self, name: str, folds: Sequence[Fold], seeds: Sequence[int]) -> list[Said]:
        """What a variant says on each fold's days, in the order of days and pairs."""
        return [self._fold(name, fold, seeds) for fold in folds]

    def _fold(self, name: str, fold: Fold, seeds: Sequence[int]) -> Said:
        said, note = [], ""
        with Meter() as meter:
            for seed in seeds:
                config = PaperConfig.of(self._config.to_dict() | VARIANTS[name] | {"seed": seed})
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(seed)
                    logits, losses = self._train(config, fold)
                said.append(logits)
                self.losses[name] = losses
                note = f"stops on day {fold.stop}"
        return Said(said, meter.seconds / len(seeds), meter.peak_mb, note)

    def _train(self, config: PaperConfig, fold: Fold) -> tuple[NDArray[np.float64], list[float]]:
        table = self._vectors(fold.stop, config)
        rng = np.random.default_rng(config.seed)
        train = [self._sample(day, config, rng) for day in fold.train]
        stop = self._sample(fold.stop, config, rng)
        model = PaperModel(config)
        standardise(model, Pool.join(train))
        history = fit(
            model,
            [self._batches(pool, table, config) for pool in train],
            [self._batches(stop, table, config)],
            config,
            lambda _: None,
        )
        found = [
            score_pool(model, self._scene(day, table, config), self._pool(day))
            for day in fold.answer
        ]
        logits = undo_sampling(np.concatenate(found), config.negative_share)
        return logits, [epoch.validation_loss for epoch in history]

    def _vectors(self, stop: int, config: PaperConfig) -> torch.Tensor:
        """Of the items, from what happened before the last label that training sees."""
        key = (stop, config.seed)
        if key not in self._tables:
            past = self._data.before(stop * DAY_MS)
            self._tables[key] = with_padding(item2vec(past, config))
        return self._tables[key]

    def _pool(self, day: int) -> Pool:
        if day not in self._pools:
            self._pools[day] = touched_pool(moment(self._data, day * DAY_MS, self._config))
        return self._pools[day]

    def _sample(self, day: int, config: PaperConfig, rng: np.random.Generator) -> Pool:
        pool = self._pool(day)
        return pool.take(pool.label | (rng.random(len(pool)) < config.negative_share))

    def _scene(self, day: int, table: torch.Tensor, config: PaperConfig) -> Scene:
        return Scene(self._lines, day * DAY_MS, table, config)

    def _batches(self, pool: Pool, table: torch.Tensor, config: PaperConfig) -> PoolBatches:
        day = int(pool.cutoff[0]) // DAY_MS
        return PoolBatches(pool, self._scene(day, table, config), config.batch_people)

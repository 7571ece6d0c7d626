"""
The models that compete with the paper's for saying how likely a purchase is.

All of them see the same pairs as the paper's model: they learn from the training pools' touched
pairs, stop on the next slice, and are scored on the same questions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import structlog
from numpy.typing import NDArray

from ml.calibration import Platt
from ml.config import PaperConfig
from ml.dataset import Interactions
from ml.evaluation.pools import Pool
from ml.intent.boosted import Boosted
from ml.intent.counters import counter_table
from ml.intent.table import Classifier, Table
from ml.parts import Parts

log = structlog.get_logger(__name__)


class Contender(Classifier, Protocol):
    """A classifier that can be put into a model folder and answers from there without torch."""

    def save(self, folder: Path) -> None:
        """Write what ``load`` reads."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""


CONTENDERS: dict[str, Callable[[int], Contender]] = {"boosted": lambda seed: Boosted(seed=seed)}
"""Makes an untrained model from a seed."""


def questions(data: Interactions, pool: Pool, config: PaperConfig) -> Table:
    """The pairs of a pool, of one cutoff, with their counters; labels and weights stay."""
    table = counter_table(
        data,
        int(pool.cutoff[0]),
        window_days=config.window_days,
        pairs=pool.user.astype(np.int64) * data.n_items + pool.item,
    )
    return Table(
        cutoff=pool.cutoff,
        user=pool.user,
        item=pool.item,
        label=pool.label,
        weight=pool.weight,
        values=table.values,
        names=table.names,
    )


@dataclass(frozen=True, slots=True)
class Champion:
    """A contender that won, and the line that makes chances of its log-odds."""

    name: str
    model: Contender
    calibration: Platt


class Contenders:
    """The fitted contenders of one run, by name."""

    def __init__(self, data: Interactions, config: PaperConfig) -> None:
        """Nothing is fitted yet."""
        self._data = data
        self._config = config
        self.fitted: dict[str, Contender] = {}

    def fit(self, parts: Parts) -> None:
        """Learn from the touched pairs of the training part."""
        learn, stop = self._joined(parts.train), self._joined(parts.stop)
        for name, make in CONTENDERS.items():
            model = make(self._config.seed)
            model.fit(learn, validation=stop)
            self.fitted[name] = model
            log.info("contender_fitted", model=name, pairs=len(learn))

    def logits(self, pools: list[Pool]) -> dict[str, NDArray[np.float64]]:
        """(P,) log-odds of all pairs by model, pool after pool."""
        found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in self.fitted}
        for pool in pools:
            table = questions(self._data, pool, self._config)
            for name, model in self.fitted.items():
                found[name].append(model.logits(table))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def as_champion(self, name: str, calibrations: dict[str, Platt]) -> Champion | None:
        """The named one with its calibration; ``None`` when the paper's model has won."""
        if name not in self.fitted:
            return None
        return Champion(name, self.fitted[name], calibrations[name])

    def _joined(self, pools: list[Pool]) -> Table:
        touched = [pool.take(pool.touched) for pool in pools]
        return Table.join(
            [questions(self._data, pool, self._config) for pool in touched if len(pool)]
        )

"""
The models that compete with the paper's for saying how likely a purchase is.

All of them see the same pairs as the paper's model: they learn from the training pools' touched
pairs, stop on the next slice, and are scored on the same questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from ml.calibration import Platt
from ml.config import PaperConfig
from ml.dataset import Interactions
from ml.evaluation.pools import Pool
from ml.intent.counters import counter_table
from ml.intent.fit_stack import StackSettings, fit_stack
from ml.intent.table import Table
from ml.intent.trees import TreeSettings
from ml.parts import Parts

log = structlog.get_logger(__name__)


class Contender(Protocol):
    """A fitted model that can be put into a folder and answers from there without torch."""

    def logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) log-odds at the natural rate; always finite."""

    def save(self, folder: Path) -> None:
        """Write what ``load`` of its class reads."""


MOST_ROUNDS = 400

CONTENDERS = ("boosted", "stack")

BLENDS = {"stack": ("boosted",)}
"""A blend must beat its parts, since it costs as much as all of them."""


def questions(data: Interactions, pool: Pool, config: PaperConfig) -> Table:
    """The pairs of a pool, of one cutoff, with their counters; labels and weights stay."""
    table = counter_table(
        data,
        int(pool.cutoff[0]),
        window_days=config.window_days,
        pairs=pool.user.astype(np.int64) * data.n_items + pool.item,
    )
    return replace(table, label=pool.label, weight=pool.weight)


@dataclass(frozen=True, slots=True)
class Champion:
    """
    A contender that won.

    Attributes:
        calibration: the line that makes chances of its log-odds.
        item_ids: the items in the order of training; a network knows them by position.
    """

    name: str
    model: Contender
    calibration: Platt
    item_ids: Sequence[str]


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
        how = StackSettings(
            networks=self._config.stack_networks,
            tree=TreeSettings(rounds=MOST_ROUNDS),
            least_steps=self._config.stack_steps,
        )
        kinds, seed = self._data.catalogue.category, self._config.seed
        stack = fit_stack(learn, validation=stop, kinds=kinds, settings=how, seed=seed)
        # The trees compete alone as well; they need not be grown twice for that.
        self.fitted = dict(zip(CONTENDERS, (stack.trees[0], stack), strict=True))
        log.info("contenders_fitted", models=CONTENDERS, pairs=len(learn))

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
        ids = self._data.catalogue.item_ids
        return Champion(name, self.fitted[name], calibrations[name], ids)

    def _joined(self, pools: list[Pool]) -> Table:
        touched = [pool.take(pool.touched) for pool in pools]
        return Table.join(
            [questions(self._data, pool, self._config) for pool in touched if len(pool)]
        )

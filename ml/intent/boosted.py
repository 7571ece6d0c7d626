"""Gradient boosted trees on columns, by LightGBM."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.errors import NotEnoughData
from ml.intent.table import Table

FILE = "trees.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostedConfig:
    """Hyper-parameters, by LightGBM's names where it has one."""

    learning_rate: float = 0.1
    num_leaves: int = 31
    max_bin: int = 63
    min_data_in_leaf: int = 200
    feature_fraction: float = 0.5
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0
    rounds: int = 400
    patience: int = 30
    threads: int = 1


class Boosted:
    """Learns from weighted rows; sampled negatives count by their weight, nothing is corrected."""

    def __init__(self, *, seed: int = 1, config: BoostedConfig | None = None) -> None:
        """Start untrained."""
        self._seed = seed
        self._config = config or BoostedConfig()
        self._trees: lightgbm.Booster | None = None

    def fit(self, table: Table, *, validation: Table | None = None) -> None:
        """Boost for ``rounds``, or until the validation loss has not fallen for ``patience``."""
        positives = int(table.label.sum())
        if not 0 < positives < len(table):
            raise NotEnoughData("one class only", pairs=len(table), positives=positives)
        data = self._data(table)
        watched = [] if validation is None else [self._data(validation, data)]
        stop: list[Callable[..., Any]] = []
        if watched:
            stop = [lightgbm.early_stopping(self._config.patience, verbose=False)]
        self._trees = lightgbm.train(
            self._parameters(len(table)),
            data,
            num_boost_round=self._config.rounds,
            valid_sets=watched,
            callbacks=stop,
        )

    def logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) log-odds at the natural rate."""
        if self._trees is None:
            raise ValueError("the trees have not been fitted")
        if not len(table):
            return np.zeros(0)
        found = self._trees.predict(table.values, raw_score=True, num_threads=self._config.threads)
        return np.asarray(found, np.float64)

    def save(self, folder: Path) -> None:
        """Write the trees as text."""
        if self._trees is None:
            raise ValueError("the trees have not been fitted")
        (folder / FILE).write_text(self._trees.model_to_string(), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """
        Read what ``save`` wrote.

        Raises:
            ValueError: the text holds no trees.
        """
        try:
            trees = lightgbm.Booster(model_str=(folder / FILE).read_text(encoding="utf-8"))
        except lightgbm.basic.LightGBMError as problem:
            raise ValueError(f"the trees cannot be read: {problem}") from problem
        made = cls()
        made._trees = trees
        return made

    def _data(self, table: Table, like: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
        return lightgbm.Dataset(
            table.values, label=table.label.astype(np.float32), weight=table.weight, reference=like
        )

    def _parameters(self, rows: int) -> dict[str, object]:
        values = asdict(self._config)
        del values["rounds"], values["patience"], values["threads"]
        # In a small shop a leaf of 200 pairs would be the whole tree.
        values["min_data_in_leaf"] = max(min(self._config.min_data_in_leaf, rows // 100), 5)
        return values | {
            "objective": "binary",
            "bagging_freq": 1,
            "seed": self._seed,
            "num_threads": self._config.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }

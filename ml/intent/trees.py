"""Boosted trees for pairs, stored as text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.errors import ModelBroken, NotEnoughData
from ml.intent.table import Table

FILE = "trees.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSettings:
    """
    How the trees grow; the defaults were chosen on validation weeks.

    Attributes:
        rounds: with validation the most, without it exactly as many.
        patience: rounds without a better validation log-loss before growing stops.
        leaf_rows: the fewest training pairs in a leaf; small tables get by with a hundredth.
    """

    rounds: int = 200
    patience: int = 30
    learning_rate: float = 0.1
    leaves: int = 31
    bins: int = 63
    leaf_rows: int = 500
    column_share: float = 0.5
    row_share: float = 0.8
    l2: float = 5.0
    objective: str = "binary"

    def parameters(self, seed: int, rows: int) -> dict[str, Any]:
        """As LightGBM names them; one thread, so that equal seeds give equal trees."""
        return {
            "objective": self.objective,
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "max_bin": self.bins,
            "min_data_in_leaf": max(1, min(self.leaf_rows, rows // 100)),
            "feature_fraction": self.column_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "lambda_l2": self.l2,
            "seed": seed,
            # The columns are binned alike for all seeds, so that one binning serves several.
            "data_random_seed": 1,
            "num_threads": 1,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }


class Trees:
    """LightGBM on all columns of a table; a classifier as in ``ml.intent.table``."""

    def __init__(self, *, seed: int = 0, settings: TreeSettings | None = None) -> None:
        """Untrained."""
        self._seed = seed
        self._settings = settings or TreeSettings()
        self._booster: lightgbm.Booster | None = None

    def fit(self, table: Table, *, validation: Table | None = None) -> None:
        """Learn; raises ``NotEnoughData`` where a class is missing."""
        if not 0 < int(table.label.sum()) < len(table):
            raise NotEnoughData("one class only", pairs=len(table), positives=table.label.sum())
        settings = self._settings
        if validation is None or not 0 < int(validation.label.sum()) < len(validation):
            validation, settings = None, replace(settings, patience=0)
        self._booster = boost(
            table.values,
            table.label.astype(np.float32),
            table.weight,
            settings,
            self._seed,
            held_out=validation,
        )

    @classmethod
    def with_seeds(cls, table: Table, settings: TreeSettings, seeds: Sequence[int]) -> list[Self]:
        """Trees of each seed for exactly ``settings.rounds``; the columns are binned once."""
        rows = settings.parameters(0, len(table))
        data = lightgbm.Dataset(table.values, table.label, weight=table.weight, params=rows)
        found = []
        for seed in seeds:
            one = cls(seed=seed, settings=settings)
            parameters = settings.parameters(seed, len(table))
            one._booster = lightgbm.train(parameters, data, settings.rounds)
            found.append(one)
        return found

    def logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) log-odds."""
        found = self._trained.predict(table.values, raw_score=True, num_threads=1)
        return np.asarray(found, np.float64)

    @property
    def rounds(self) -> int:
        """How many trees answer: those up to the best round where validation stopped them."""
        best = int(self._trained.best_iteration)
        return best if best > 0 else int(self._trained.num_trees())

    def gains(self, names: tuple[str, ...]) -> dict[str, float]:
        """Each column's share of the gain of all splits, best first."""
        gain = self._trained.feature_importance("gain").astype(np.float64)
        share = gain / max(gain.sum(), 1e-12)
        return {names[k]: float(share[k]) for k in np.argsort(-share)}

    def save(self, folder: Path) -> None:
        """Write what ``load`` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(self._trained.model_to_string(), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; raises ``ModelBroken``."""
        model = cls()
        try:
            text = (folder / FILE).read_text(encoding="utf-8")
            model._booster = lightgbm.Booster(model_str=text)
        except (OSError, ValueError, lightgbm.basic.LightGBMError) as problem:
            raise ModelBroken(f"the trees cannot be read: {problem}") from problem
        return model

    @property
    def _trained(self) -> lightgbm.Booster:
        if self._booster is None:
            raise NotEnoughData("the trees were not trained yet")
        return self._booster


def boost(
    values: NDArray[np.float32],
    target: NDArray[Any],
    weight: NDArray[Any],
    settings: TreeSettings,
    seed: int,
    *,
    held_out: Table | None = None,
) -> lightgbm.Booster:
    """
    Grow trees on any target between 0 and 1.

    Shapes:
        values: (P, n); target, weight: (P,)
    """
    parameters = settings.parameters(seed, len(target))
    data = lightgbm.Dataset(values, target, weight=weight, params=parameters)
    stops: list[Callable[..., Any]] = []
    watched = []
    if held_out is not None and settings.patience:
        stops = [lightgbm.early_stopping(settings.patience, verbose=False)]
        watched = [data.create_valid(held_out.values, held_out.label, weight=held_out.weight)]
    return lightgbm.train(
        parameters, data, settings.rounds, valid_sets=watched or None, callbacks=stops
    )

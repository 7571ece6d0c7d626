"""Classifiers that add columns up: one column alone, logistic regression, a linear SVM."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from ml.calibration import Platt, fit_platt
from ml.errors import ModelBroken, NotEnoughData
from ml.intent.table import Table

FILE = "linear.npz"

MISSING_SHARE = 0.001
"""Columns that miss more often than this get a second column that says so."""


@dataclass(frozen=True, slots=True)
class Scale:
    """
    Columns to mean 0 and deviation 1; NaN becomes 0, with a column beside it that says so.

    Shapes, n columns:
        mean, deviation: (n,) float64, over the known values of the training rows
        missing: (k,) int64, columns whose absence is a column of its own
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    missing: NDArray[np.int64]

    @classmethod
    def fit(cls, values: NDArray[np.float32], weight: NDArray[np.float32]) -> "Scale":
        """From (P, n) training rows, each as often as its weight says."""
        rows = values.astype(np.float64)
        known = ~np.isnan(rows)
        count = np.maximum(weight @ known, 1e-12)
        mean = weight @ np.where(known, rows, 0.0) / count
        spread = np.sqrt(weight @ np.where(known, rows - mean, 0.0) ** 2 / count)
        gone = 1 - known.mean(axis=0)
        is_useful = (gone > MISSING_SHARE) & (gone < 1 - MISSING_SHARE)
        deviation = np.where(spread > 1e-6, spread, 1.0)
        return cls(mean, deviation, np.flatnonzero(is_useful))

    def apply(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """(P, n) to (P, n + k)."""
        gone = np.isnan(values[:, self.missing]).astype(np.float64)
        scaled = np.nan_to_num((values.astype(np.float64) - self.mean) / self.deviation, nan=0.0)
        return np.concatenate([scaled, gone], axis=1)


class Column:
    """One column as it is, higher (or lower) is likelier; only the level is learned."""

    def __init__(self, name: str, *, sign: float = 1.0, missing: float = 0.0) -> None:
        """Say which; ``missing`` stands for NaN."""
        self._name, self._sign, self._missing = name, sign, missing
        self._platt = Platt()

    def fit(self, table: Table, *, validation: Table | None = None) -> None:
        """Calibrate; raises ``NotEnoughData`` where a class is missing."""
        self._platt = fit_platt(table.label, self._score(table), table.weight)

    def logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) log-odds."""
        return self._platt.slope * self._score(table) + self._platt.intercept

    def _score(self, table: Table) -> NDArray[np.float64]:
        column = np.nan_to_num(table.column(self._name).astype(np.float64), nan=self._missing)
        return self._sign * column


class _Line:
    """Weights and a bias over scaled columns."""

    def __init__(self) -> None:
        self._scale = Scale(np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
        self._weight = np.zeros(0)
        self._bias = 0.0

    def logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) log-odds."""
        if not len(self._weight):
            raise NotEnoughData("the model was not trained yet")
        # Not a matrix product: its sums depend on how many rows are asked about at once.
        scaled = self._scale.apply(table.values)
        found: NDArray[np.float64] = np.einsum("pn,n->p", scaled, self._weight) + self._bias
        return found

    def save(self, folder: Path) -> None:
        """Write what ``load`` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            folder / FILE,
            mean=self._scale.mean,
            deviation=self._scale.deviation,
            missing=self._scale.missing,
            weight=self._weight,
            bias=np.array([self._bias]),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; raises ``ModelBroken``."""
        model = cls()
        try:
            with np.load(folder / FILE, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            model._scale = Scale(arrays["mean"], arrays["deviation"], arrays["missing"])
            model._weight, model._bias = arrays["weight"], float(arrays["bias"][0])
        except (OSError, ValueError, KeyError) as problem:
            raise ModelBroken(f"the linear model cannot be read: {problem}") from problem
        return model

    def _start(self, table: Table) -> NDArray[np.float64]:
        if not 0 < int(table.label.sum()) < len(table):
            raise NotEnoughData("one class only", pairs=len(table), positives=table.label.sum())
        self._scale = Scale.fit(table.values, table.weight)
        return self._scale.apply(table.values)


class Logistic(_Line):
    """Logistic regression; nothing in it is random."""

    def __init__(self, *, ridge: float = 0.3) -> None:
        """``ridge`` times the number of positives is the pull of the weights to 0."""
        super().__init__()
        self._ridge = ridge

    def fit(self, table: Table, *, validation: Table | None = None) -> None:
        """Learn; raises ``NotEnoughData`` where a class is missing."""
        rows = self._start(table)
        model = LogisticRegression(C=_strength(self._ridge, table), max_iter=300)
        model.fit(rows, table.label, sample_weight=table.weight)
        self._weight, self._bias = model.coef_[0], float(model.intercept_[0])


class LinearSvm(_Line):
    """A linear support vector machine with squared hinge loss; Platt's line makes it log-odds."""

    def __init__(self, *, seed: int = 0, ridge: float = 0.06) -> None:
        """``ridge`` times the number of positives is the pull of the weights to 0."""
        super().__init__()
        self._seed = seed
        self._ridge = ridge

    def fit(self, table: Table, *, validation: Table | None = None) -> None:
        """Learn; raises ``NotEnoughData`` where a class is missing."""
        rows = self._start(table)
        strength = _strength(self._ridge, table)
        model = LinearSVC(C=strength, dual=False, max_iter=500, random_state=self._seed)
        model.fit(rows, table.label, sample_weight=table.weight)
        weight, bias = model.coef_[0], float(model.intercept_[0])
        # The margin of rare positives hardly moves from -1, so it is stretched before Platt.
        margin = rows @ weight + bias
        spread = max(float(margin.std()), 1e-12)
        platt = fit_platt(table.label, margin / spread, table.weight)
        self._weight = platt.slope / spread * weight
        self._bias = platt.slope / spread * bias + platt.intercept


def _strength(ridge: float, table: Table) -> float:
    """C of scikit-learn: purchases are what is scarce, so the pull goes by their number."""
    return 1.0 / (ridge * float(table.weight[table.label].sum()))

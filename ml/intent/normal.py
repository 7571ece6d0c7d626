"""Columns of any scale as normal scores, the food of small networks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

KNOTS = 101
"""Quantiles that stand for a column's distribution."""

SAMPLE = 100_000
"""Rows that the quantiles are taken from."""

EDGE = 2.5
"""Scores end here, in deviations: what lies beyond all training rows is no stranger than them."""

MISSING_SHARE = 0.01
"""Columns that miss more often than this get a second column that says so."""


@dataclass(frozen=True, slots=True)
class NormalScores:
    """
    A monotone map per column, fitted on training rows.

    Shapes, n columns:
        knots:   (n, KNOTS) float32, quantiles in order
        scores:  (n, KNOTS) float32, the normal score of each; tied quantiles share their mean
        missing: (k,) int64, columns whose absence is a column of its own
    """

    knots: NDArray[np.float32]
    scores: NDArray[np.float32]
    missing: NDArray[np.int64]

    @classmethod
    def fit(cls, values: NDArray[np.float32], rng: np.random.Generator) -> "NormalScores":
        """Take the quantiles of (P, n) rows, NaN apart."""
        rows = values
        if len(values) > SAMPLE:
            rows = values[np.sort(rng.choice(len(values), SAMPLE, replace=False))]
        levels = np.linspace(0, 1, KNOTS)
        normal = np.clip(ndtri(np.clip(levels, 1e-6, 1 - 1e-6)), -EDGE, EDGE)
        knots = np.stack([_quantiles(rows[:, k], levels) for k in range(values.shape[1])])
        scores = np.stack([_tied_means(one, normal) for one in knots])
        gone = np.flatnonzero(np.isnan(rows).mean(axis=0) > MISSING_SHARE)
        return cls(knots, scores, gone)

    @property
    def width(self) -> int:
        """Columns that come out."""
        return len(self.knots) + len(self.missing)

    def apply(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """(P, n) to (P, width): a score per column, 0 where NaN, then the 0/1 of absence."""
        n = len(self.knots)
        found = np.empty((len(values), self.width), np.float32)
        for k in range(n):
            found[:, k] = np.interp(values[:, k], self.knots[k], self.scores[k])
        absent = np.isnan(values)
        found[:, :n][absent] = 0.0
        found[:, n:] = absent[:, self.missing]
        return found


def _quantiles(column: NDArray[np.float32], levels: NDArray[np.float64]) -> NDArray[np.float32]:
    known = column[np.isfinite(column)]
    if not len(known):
        return np.zeros(len(levels), np.float32)
    return np.quantile(known, levels).astype(np.float32)


def _tied_means(knots: NDArray[np.float32], normal: NDArray[np.float64]) -> NDArray[np.float32]:
    _, group = np.unique(knots, return_inverse=True)
    mean = np.bincount(group, normal) / np.bincount(group)
    return mean[group].astype(np.float32)

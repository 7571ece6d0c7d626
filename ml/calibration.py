"""Scores that mean what they say: of pairs given 0.2, one in five buys."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import NotEnoughData

FLATTEST = 1e-3
"""Least slope; scores that run the wrong way say next to nothing, but keep their order."""


@dataclass(frozen=True, slots=True)
class Platt:
    """A probability from a logit: sigmoid(slope * logit + intercept)."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, logit: NDArray[Any]) -> NDArray[np.float64]:
        """Calibrated probabilities, same shape."""
        return sigmoid(self.slope * logit.astype(np.float64) + self.intercept)


def sigmoid(x: NDArray[Any]) -> NDArray[np.float64]:
    """1 / (1 + e^-x) without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(x, np.float64)))


def undo_sampling(logit: NDArray[Any], negative_share: float) -> NDArray[np.float64]:
    """
    Correct the prior of a model that saw only a share of the negatives, with equal weights.

    To be used once, and not at all where the loss weighted the negatives: p / (p + (1 - p)/ρ)
    is a shift of the logit by log ρ.
    """
    shifted: NDArray[np.float64] = logit.astype(np.float64) + np.log(negative_share)
    return shifted


def fit_platt(
    label: NDArray[Any],
    logit: NDArray[Any],
    weight: NDArray[Any] | None = None,
    *,
    strength: float = 1.0,
) -> Platt:
    """
    Maximum likelihood by Newton's method, pulled towards "change nothing" as by a little data.

    The slope never falls to 0, so that calibration keeps the order of the scores.

    Raises:
        NotEnoughData: only one class was seen.
    """
    y = label.astype(np.float64)
    w = np.ones_like(y) if weight is None else weight.astype(np.float64)
    if not 0 < y.sum() < len(y):
        raise NotEnoughData("one class only to calibrate on", pairs=len(y), positives=y.sum())
    x = np.stack([logit.astype(np.float64), np.ones_like(y)])  # (2, pairs)
    origin = np.array([1.0, 0.0])
    rate, mean = float(np.average(y, weights=w)), float(np.average(x[0], weights=w))
    odds = np.log(rate / (1 - rate))
    found = np.array([1.0, odds - mean])

    def loss(line: NDArray[np.float64]) -> float:
        z = line @ x
        pulled = 0.5 * strength * float(((line - origin) ** 2).sum())
        return float(w @ (np.logaddexp(0.0, z) - y * z)) + pulled

    for _ in range(100):
        p = sigmoid(found @ x)
        gradient = x @ (w * (p - y)) + strength * (found - origin)
        hessian = (x * (w * p * (1 - p))) @ x.T + strength * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        # Where the scores are far too sure, a whole step leaps over the minimum, and back again.
        now = loss(found)
        while loss(found - step) > now and np.abs(step).max() > 1e-12:
            step = step / 2
        found = found - step
        if np.abs(step).max() < 1e-9:
            break
    if found[0] < FLATTEST:
        return Platt(slope=FLATTEST, intercept=float(odds - FLATTEST * mean))
    return Platt(slope=float(found[0]), intercept=float(found[1]))

"""How good scores are; ties count at their expected value, so a constant earns nothing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class _Curve:
    """Cumulative counts at each distinct score, best score first."""

    score: NDArray[np.float64]
    n: NDArray[np.int64]
    positives: NDArray[np.int64]


def _curve(label: NDArray[Any], score: NDArray[Any]) -> _Curve:
    if not np.isfinite(score).all():
        raise ValueError("scores must be finite")
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    hits = np.cumsum(label[order].astype(np.int64))
    return _Curve(ranked[ends].astype(np.float64), ends + 1, hits[ends])


def average_precision(label: NDArray[Any], score: NDArray[Any]) -> float:
    """
    Area under precision over recall, a tied group as one step; NaN without positives.

    A constant score gives the base rate.
    """
    total = int(label.sum())
    if not total:
        return float("nan")
    curve = _curve(label, score)
    step = np.diff(curve.positives, prepend=0)
    return float((step * curve.positives / curve.n).sum() / total)


def roc_auc(label: NDArray[Any], score: NDArray[Any]) -> float:
    """Chance that a positive beats a negative, ties half; NaN where a class is missing."""
    total = int(label.sum())
    if not total or total == len(label):
        return float("nan")
    curve = _curve(label, score)
    hits = np.diff(curve.positives, prepend=0)
    misses = np.diff(curve.n - curve.positives, prepend=0)
    worse = (len(label) - total) - np.cumsum(misses) + misses / 2
    return float((hits * worse).sum() / (total * (len(label) - total)))


def log_loss(label: NDArray[Any], probability: NDArray[Any]) -> float:
    """Mean negative log-likelihood in nats; probabilities are kept 1e-7 away from 0 and 1."""
    p = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(label, np.log(p), np.log1p(-p))))


def f1(label: NDArray[Any], score: NDArray[Any], threshold: float) -> float:
    """F1 of answering yes where score ≥ threshold; 0 where nothing is right."""
    said = score >= threshold
    hits = float((said & label.astype(bool)).sum())
    return 2 * hits / max(float(said.sum() + label.sum()), 1.0)


def best_threshold(label: NDArray[Any], score: NDArray[Any]) -> float:
    """The score from which on "yes" has the best F1; to be asked of validation data only."""
    curve = _curve(label, score)
    value = 2 * curve.positives / np.maximum(curve.n + int(label.sum()), 1)
    return float(curve.score[int(np.argmax(value))])


def brier(label: NDArray[Any], probability: NDArray[Any]) -> float:
    """Mean squared error of the probability."""
    return float(np.mean((probability - label) ** 2))


def calibration_error(label: NDArray[Any], probability: NDArray[Any], bins: int = 15) -> float:
    """Expected calibration error over bins of equal mass."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(bins, max(len(order), 1)))
    gaps = [len(part) * abs(probability[part].mean() - label[part].mean()) for part in parts]
    return float(sum(gaps) / max(len(order), 1))


def summary(label: NDArray[Any], probability: NDArray[Any], threshold: float) -> dict[str, float]:
    """All figures of one row of a report, with the base rate beside them."""
    base = float(label.mean())
    entropy = log_loss(label, np.full(len(label), base))
    loss = log_loss(label, probability)
    return {
        "ap": average_precision(label, probability),
        "auc": roc_auc(label, probability),
        "log_loss": loss,
        "normalised_entropy": loss / entropy if entropy > 0 else float("nan"),
        "f1": f1(label, probability, threshold),
        "threshold": threshold,
        "ece": calibration_error(label, probability),
        "brier": brier(label, probability),
        "base_rate": base,
        "pairs": float(len(label)),
        "positives": float(label.sum()),
    }

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


def precision(label: NDArray[Any], score: NDArray[Any], threshold: float) -> float:
    """Share of the pairs with score ≥ threshold that are right; 0 where there are none."""
    said = score >= threshold
    return float((said & label.astype(bool)).sum()) / max(float(said.sum()), 1.0)


def recall(label: NDArray[Any], score: NDArray[Any], threshold: float) -> float:
    """Share of the positives with score ≥ threshold; 0 without positives."""
    hits = (score >= threshold) & label.astype(bool)
    return float(hits.sum()) / max(float(label.sum()), 1.0)


def hits_among(
    label: NDArray[Any], score: NDArray[Any], count: NDArray[Any]
) -> NDArray[np.float64]:
    """Positives among the ``count`` best pairs (any shape), in expectation where a tie is cut."""
    curve = _curve(label, score)
    found: NDArray[np.float64] = np.interp(
        count, np.append(0, curve.n), np.append(0, curve.positives)
    )
    return found


def top_share(label: NDArray[Any], score: NDArray[Any], share: float = 0.01) -> tuple[float, float]:
    """Precision and recall of saying yes to the best ``share`` of the pairs, one at least."""
    count = max(round(share * len(label)), 1)
    hits = float(hits_among(label, score, np.array(count)))
    return hits / count, hits / max(float(label.sum()), 1.0)


def normalised_entropy(
    label: NDArray[Any], probability: NDArray[Any], train_rate: float | None = None
) -> float:
    """
    Log-loss over that of always saying ``train_rate``; below 1 is better than knowing nothing.

    Without a rate the share of positives among these pairs is taken, the hardest constant.
    """
    rate = float(label.mean()) if train_rate is None else train_rate
    constant = log_loss(label, np.full(len(label), rate))
    return log_loss(label, probability) / constant if constant > 0 else float("nan")


def brier(label: NDArray[Any], probability: NDArray[Any]) -> float:
    """Mean squared error of the probability."""
    return float(np.mean((probability - label) ** 2))


def calibration_error(label: NDArray[Any], probability: NDArray[Any], bins: int = 15) -> float:
    """Expected calibration error over bins of equal mass."""
    count, said, true = calibration_bins(label, probability, bins)
    return float((count * np.abs(said - true)).sum() / max(count.sum(), 1))


def calibration_bins(
    label: NDArray[Any], probability: NDArray[Any], bins: int = 15
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Pairs, mean probability and share of positives of each bin of equal mass, lowest first."""
    order = np.argsort(probability, kind="stable")
    # Equal probabilities share their positives, else the order of the rows would decide.
    _, group, size = np.unique(probability[order], return_inverse=True, return_counts=True)
    share = np.bincount(group, label[order].astype(np.float64), len(size)) / np.maximum(size, 1)
    edges = np.unique(np.linspace(0, len(order), bins + 1).round()).astype(np.int64)
    count, begins = np.diff(edges), edges[:-1]
    said = np.add.reduceat(probability[order].astype(np.float64), begins) / count
    return count, said, np.add.reduceat(share[group], begins) / count


def summary(
    label: NDArray[Any],
    probability: NDArray[Any],
    threshold: float,
    *,
    train_rate: float | None = None,
) -> dict[str, float]:
    """
    All figures of one row of a report, with the base rate beside them.

    Args:
        threshold: of validation, for F1, precision and recall.
        train_rate: share of positives in training, for the normalised entropy.
    """
    best_precision, best_recall = top_share(label, probability)
    return {
        "ap": average_precision(label, probability),
        "auc": roc_auc(label, probability),
        "log_loss": log_loss(label, probability),
        "normalised_entropy": normalised_entropy(label, probability, train_rate),
        "f1": f1(label, probability, threshold),
        "precision": precision(label, probability, threshold),
        "recall": recall(label, probability, threshold),
        "threshold": threshold,
        "ece": calibration_error(label, probability),
        "brier": brier(label, probability),
        "precision_top_1pct": best_precision,
        "recall_top_1pct": best_recall,
        "base_rate": float(label.mean()),
        "pairs": float(len(label)),
        "positives": float(label.sum()),
    }

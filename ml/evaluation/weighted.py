"""Figures as functions of how often each person counts: prepared once, asked a thousand times."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weighted = NDArray[np.float64]

Statistic = Callable[[Weighted], float]
"""Takes the weight of each owner, (U,), and gives the figure; NaN where it is not defined."""


def statistic(
    metric: str, label: NDArray[Any], score: NDArray[Any], owner: NDArray[Any], n: int
) -> Statistic:
    """
    A figure of pairs, prepared for weights.

    Args:
        metric: ``ap``, ``auc``, ``log_loss`` or ``brier``; the last two take probabilities.
        owner: (P,) position of each pair's owner, below ``n``.
    """
    if metric == "log_loss":
        p = np.clip(score.astype(np.float64), 1e-7, 1 - 1e-7)
        loss = -np.where(label, np.log(p), np.log1p(-p))
        return ratio(loss, np.ones(len(loss)), owner, n)
    if metric == "brier":
        return ratio((score - label) ** 2, np.ones(len(label)), owner, n)
    order = _Order(label, score, owner)
    return {"ap": order.average_precision, "auc": order.roc_auc}[metric]


def ratio(part: NDArray[Any], whole: NDArray[Any], owner: NDArray[Any], n: int) -> Statistic:
    """Sum of ``part`` over sum of ``whole``: means, precision, recall, F1 at a threshold."""
    above = np.bincount(owner, part, minlength=n)
    below = np.bincount(owner, whole, minlength=n)

    def value(weight: Weighted) -> float:
        total = float(weight @ below)
        return float(weight @ above) / total if total else float("nan")

    return value


def mean_of(parts: Sequence[Statistic]) -> Statistic:
    """Mean of several figures, such as that of a model over its seeds."""
    return lambda weight: sum(part(weight) for part in parts) / len(parts)


class _Order:
    """Pairs from best to worst score; of the groups of equal score only those with positives."""

    def __init__(self, label: NDArray[Any], score: NDArray[Any], owner: NDArray[Any]) -> None:
        if not np.isfinite(score).all():
            raise ValueError("scores must be finite")
        by = np.argsort(-score, kind="stable")
        ranked, right = score[by], label[by].astype(bool)
        begins = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])
        group = np.searchsorted(begins, np.flatnonzero(right), side="right") - 1
        kept, self._group = np.unique(group, return_inverse=True)
        ends = np.append(begins[1:], len(ranked))
        # The order is cut before and after every kept group, so that one sum per piece will do.
        edges = np.unique(np.concatenate([[0], begins[kept], ends[kept]]))
        self._edges = edges[edges < len(ranked)].astype(np.int64)
        self._begin = np.searchsorted(edges, begins[kept])
        self._end = np.searchsorted(edges, ends[kept])
        self._owner = owner[by].astype(np.int32)
        self._winner = self._owner[right]

    def average_precision(self, weight: Weighted) -> float:
        """Area under precision over recall, a tied group as one step."""
        hits, n = self._hits(weight), self._cumulated(weight)
        so_far = np.cumsum(hits)
        if not len(hits) or not so_far[-1]:
            return float("nan")
        return float((hits * so_far / np.maximum(n[self._end], 1)).sum() / so_far[-1])

    def roc_auc(self, weight: Weighted) -> float:
        """Chance that a positive beats a negative, ties half."""
        hits, n = self._hits(weight), self._cumulated(weight)
        positives = float(hits.sum())
        negatives = float(n[-1]) - positives
        if not positives or not negatives:
            return float("nan")
        better = n[self._begin] - (np.cumsum(hits) - hits)
        tied = n[self._end] - n[self._begin] - hits
        return float((hits * (negatives - better - tied / 2)).sum() / (positives * negatives))

    def _hits(self, weight: Weighted) -> Weighted:
        return np.bincount(self._group, weight[self._winner]).astype(np.float64)

    def _cumulated(self, weight: Weighted) -> Weighted:
        """Weight of all pairs before each edge, the end of the order being the last edge."""
        sums = np.add.reduceat(weight[self._owner], self._edges)
        return np.append(0.0, np.cumsum(sums))

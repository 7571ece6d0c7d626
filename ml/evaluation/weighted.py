"""Figures as functions of how often each person counts: prepared once, asked a thousand times."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Weighted = NDArray[np.float64]

Statistic = Callable[[Weighted], Weighted]
"""Takes weights of the owners, (U, D) for D draws, and gives (D,) figures; NaN: not defined."""


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
    order = _Order(label, score, owner, n)
    return {"ap": order.average_precision, "auc": order.roc_auc}[metric]


def ratio(part: NDArray[Any], whole: NDArray[Any], owner: NDArray[Any], n: int) -> Statistic:
    """Sum of ``part`` over sum of ``whole``: means, precision, recall, F1 at a threshold."""
    above = np.bincount(owner, part, minlength=n)
    below = np.bincount(owner, whole, minlength=n)
    return lambda weight: _share(above @ weight, below @ weight)


def mean_of(parts: Sequence[Statistic]) -> Statistic:
    """Mean of several figures, such as that of a model over its seeds."""

    def value(weight: Weighted) -> Weighted:
        found: Weighted = np.mean([part(weight) for part in parts], axis=0)
        return found

    return value


class _Order:
    """
    Pairs from best to worst score; of the groups of equal score only those with positives.

    The order is cut before and after every such group. How often each owner stands in each piece
    is a sparse matrix, so that many draws cost one pass over the pairs.
    """

    def __init__(
        self, label: NDArray[Any], score: NDArray[Any], owner: NDArray[Any], n: int
    ) -> None:
        if not np.isfinite(score).all():
            raise ValueError("scores must be finite")
        by = np.argsort(-score, kind="stable")
        ranked, right, owner = score[by], label[by].astype(bool), owner[by]
        begins = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])
        group = np.searchsorted(begins, np.flatnonzero(right), side="right") - 1
        kept, winner = np.unique(group, return_inverse=True)
        first, end = begins[kept], np.append(begins[1:], len(ranked))[kept]
        edges = np.unique(np.concatenate([[0], first, end, [len(ranked)]]))
        piece = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
        self._begin, self._end = np.searchsorted(edges, first), np.searchsorted(edges, end)
        self._pieces = _counts(piece, owner, (len(edges) - 1, n))
        self._hits = _counts(winner, owner[right], (len(kept), n))

    def average_precision(self, weight: Weighted) -> Weighted:
        """Area under precision over recall, a tied group as one step."""
        hits, before = self._hits @ weight, self._cumulated(weight)
        found = np.cumsum(hits, axis=0)
        found /= np.maximum(before[self._end], 1)
        return _share((hits * found).sum(axis=0), hits.sum(axis=0))

    def roc_auc(self, weight: Weighted) -> Weighted:
        """Chance that a positive beats a negative, ties half."""
        hits, before = self._hits @ weight, self._cumulated(weight)
        positives = hits.sum(axis=0)
        negatives = before[-1] - positives
        # Negatives before a group and half of those inside it stand better than its positives.
        better = (before[self._begin] + before[self._end] - hits) / 2 - np.cumsum(hits, axis=0)
        better += hits
        return _share((hits * (negatives - better)).sum(axis=0), positives * negatives)

    def _cumulated(self, weight: Weighted) -> Weighted:
        """(edges, D) weight of all pairs before each edge."""
        before = np.zeros((self._pieces.shape[0] + 1, weight.shape[1]))
        np.cumsum(self._pieces @ weight, axis=0, out=before[1:])
        return before


def _counts(row: NDArray[Any], column: NDArray[Any], shape: tuple[int, int]) -> csr_array:
    counted = csr_array((np.ones(len(row)), (row, column)), shape=shape)
    counted.sum_duplicates()
    return counted


def _share(part: Weighted, whole: Weighted) -> Weighted:
    found: Weighted = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return found

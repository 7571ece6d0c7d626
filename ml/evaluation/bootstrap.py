"""How sure a difference is: resampling whole people, both models on the same people."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import average_precision


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its 95 % interval; it is a finding when 0 lies outside."""

    difference: float
    low: float
    high: float

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def paired_ap_difference(
    label: NDArray[Any],
    ours: NDArray[Any],
    theirs: NDArray[Any],
    user: NDArray[Any],
    *,
    draws: int,
    rng: np.random.Generator,
) -> Interval:
    """
    Average precision of ``ours`` minus ``theirs``, bootstrap over people.

    A person drawn k times counts k times: weights instead of copies, so a draw costs two
    cumulative sums over an order that is sorted once.
    """
    _, owner = np.unique(user, return_inverse=True)
    n = int(owner.max()) + 1
    order = [np.argsort(-score, kind="stable") for score in (ours, theirs)]
    ends = [
        np.append(np.flatnonzero(np.diff(score[by])), len(label) - 1)
        for score, by in zip((ours, theirs), order, strict=True)
    ]
    found = np.empty(draws)
    for draw in range(draws):
        weight = np.bincount(rng.integers(0, n, n), minlength=n)[owner]
        first, second = (
            _weighted_ap(label[by], weight[by], stops)
            for by, stops in zip(order, ends, strict=True)
        )
        found[draw] = first - second
    low, high = np.nanpercentile(found, [2.5, 97.5])
    exact = average_precision(label, ours) - average_precision(label, theirs)
    return Interval(exact, float(low), float(high))


def _weighted_ap(label: NDArray[Any], weight: NDArray[Any], ends: NDArray[Any]) -> float:
    n = np.cumsum(weight)[ends]
    hits = np.cumsum(weight * label)[ends]
    if not hits[-1]:
        return float("nan")
    step = np.diff(hits, prepend=0)
    return float((step * hits / np.maximum(n, 1)).sum() / hits[-1])

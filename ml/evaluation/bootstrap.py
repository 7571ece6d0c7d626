"""How sure a figure is: resampling whole people, all models on the same people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.weighted import Statistic, Weighted, mean_of, ratio, statistic

PERCENTILES = (2.5, 97.5)

BLOCK = 50
"""Draws at once."""


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


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of one model with its 95 % interval."""

    value: float
    low: float
    high: float


Seeds = NDArray[Any] | Sequence[NDArray[Any]]
"""What a model said about P pairs, or what it said with each seed; figures are seed means."""


def paired_ap_difference(
    label: NDArray[Any],
    ours: Seeds,
    theirs: Seeds,
    user: NDArray[Any],
    *,
    draws: int,
    rng: np.random.Generator,
) -> Interval:
    """Average precision of ``ours`` minus ``theirs``, bootstrap over people."""
    return paired_metric_difference("ap", label, ours, theirs, user, draws=draws, rng=rng)


def paired_metric_difference(
    metric: str,
    label: NDArray[Any],
    ours: Seeds,
    theirs: Seeds,
    user: NDArray[Any],
    *,
    draws: int,
    rng: np.random.Generator,
) -> Interval:
    """
    A figure of ``ours`` minus that of ``theirs`` on the same pairs, bootstrap over people.

    Args:
        metric: ``ap``, ``auc``, or, of probabilities, ``log_loss`` or ``brier``.
    """
    owner, n = _owners(user)
    first, second = (
        mean_of([statistic(metric, label, one, owner, n) for one in _each(scores)])
        for scores in (ours, theirs)
    )
    return _interval(lambda weight: first(weight) - second(weight), n, draws, rng)


def metric_interval(
    metric: str,
    label: NDArray[Any],
    scores: Seeds,
    user: NDArray[Any],
    *,
    draws: int,
    rng: np.random.Generator,
) -> Estimate:
    """A figure of one model, named as in ``paired_metric_difference``, with its interval."""
    owner, n = _owners(user)
    own = mean_of([statistic(metric, label, one, owner, n) for one in _each(scores)])
    found = _interval(own, n, draws, rng)
    return Estimate(found.difference, found.low, found.high)


def paired_mean_difference(
    ours: NDArray[Any],
    theirs: NDArray[Any],
    owner: NDArray[Any],
    *,
    draws: int,
    rng: np.random.Generator,
) -> Interval:
    """Mean over cases of ``ours - theirs``, (C,) each, bootstrap over owners."""
    found = mean_interval(np.asarray(ours) - np.asarray(theirs), owner, draws=draws, rng=rng)
    return Interval(found.value, found.low, found.high)


def mean_interval(
    values: NDArray[Any], owner: NDArray[Any], *, draws: int, rng: np.random.Generator
) -> Estimate:
    """Mean of (C,) values over cases, with its interval; owners are drawn with all their cases."""
    row, n = _owners(owner)
    found = _interval(ratio(values, np.ones(len(row)), row, n), n, draws, rng)
    return Estimate(found.difference, found.low, found.high)


def _owners(owner: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    distinct, row = np.unique(owner, return_inverse=True)
    return row, len(distinct)


def _each(scores: Seeds) -> Sequence[NDArray[Any]]:
    return [scores] if isinstance(scores, np.ndarray) else scores


def _interval(value: Statistic, n: int, draws: int, rng: np.random.Generator) -> Interval:
    exact = float(value(np.ones((n, 1)))[0])
    blocks = [min(BLOCK, draws - begin) for begin in range(0, draws, BLOCK)]
    found = np.concatenate([value(_weights(n, size, rng)) for size in blocks] or [np.zeros(0)])
    found = found[np.isfinite(found)]
    if not len(found):
        return Interval(exact, float("nan"), float("nan"))
    low, high = np.percentile(found, PERCENTILES)
    return Interval(exact, float(low), float(high))


def _weights(n: int, draws: int, rng: np.random.Generator) -> Weighted:
    """(n, draws) how often each owner was drawn."""
    drawn = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(draws)]
    return np.stack(drawn, axis=1).astype(np.float64)

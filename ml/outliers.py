"""
Amounts that can hardly be true, each judged among those of its own group (an item, in a currency).

Three rules stand beside each other. Amounts are skewed and one wrong amount inflates mean and
deviation, so the third rule works on medians of logarithms.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST = 5
"""A group with fewer amounts says nothing about any of them."""

FACTOR = 2.0
"""What is within this factor of the mean is a discount or a rise, whatever the deviation says."""

LEAST_SPREAD = 0.3
"""Spread of logarithms below which a group counts as if it had this one: prices that never change
would make an error of every promotion."""

_NORMAL = 1.4826
"""The median deviation of a normal distribution, times this, is its standard deviation."""


def outliers(group: NDArray[np.int64], amount: Floats) -> dict[str, Mask]:
    """
    Which amounts break which rule.

    Shapes:
        group, amount: (N,)  numbers of the groups; amounts above 0
        returns:       (N,)  bool, by rule

    Returns:
        ``three_sigma``: beyond three standard deviations of the group's mean, and not within a
        factor of two of it. ``ten_means``: over ten times the mean of the others. ``robust``: a
        modified z-score of the logarithm over 3.5.

    Source:
        Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993, for the robust rule.
    """
    _, group = np.unique(group, return_inverse=True)
    size = np.bincount(group).astype(np.float64)[group]
    is_judged = size >= LEAST
    mean, sigma = _mean(group, amount), np.sqrt(_variance(group, amount))
    of_others = (mean * size - amount) / np.maximum(size - 1, 1)
    is_far = np.abs(np.log(amount / mean)) > np.log(FACTOR)
    logs = np.log(amount)
    deviation = np.abs(logs - _median(group, logs))
    spread = np.maximum(_NORMAL * _median(group, deviation), LEAST_SPREAD)
    return {
        "three_sigma": is_judged & is_far & (np.abs(amount - mean) > 3 * sigma),
        "ten_means": is_judged & (amount > 10 * of_others),
        "robust": is_judged & (deviation / spread > 3.5),
    }


def _mean(group: NDArray[np.int64], value: Floats) -> Floats:
    means: Floats = np.bincount(group, value) / np.bincount(group)
    return means[group]


def _variance(group: NDArray[np.int64], value: Floats) -> Floats:
    return _mean(group, (value - _mean(group, value)) ** 2)


def _median(group: NDArray[np.int64], value: Floats) -> Floats:
    order = np.lexsort((value, group))
    size = np.bincount(group)
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    ordered = value[order]
    medians = (ordered[first + (size - 1) // 2] + ordered[first + size // 2]) / 2
    found: Floats = medians[group]
    return found

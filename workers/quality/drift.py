"""How far one distribution has moved from another."""

import math
from collections.abc import Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

SMOOTHING = 0.5
"""Added to each class, so that an empty one costs something finite."""


def psi(now: Mapping[K, float], before: Mapping[K, float]) -> float:
    """
    Population stability index of two histograms; 0 where they are alike.

    Below 0.1 is little, over 0.25 much.
    """
    ours, theirs = _shares(now, before, SMOOTHING), _shares(before, now, SMOOTHING)
    return sum((ours[name] - theirs[name]) * math.log(ours[name] / theirs[name]) for name in ours)


def js_divergence(now: Mapping[K, float], before: Mapping[K, float]) -> float:
    """Jensen-Shannon divergence of two histograms, from 0 (alike) to 1 (nothing in common)."""
    ours, theirs = _shares(now, before, 0.0), _shares(before, now, 0.0)
    middle = {name: (ours[name] + theirs[name]) / 2 for name in ours}
    return max(0.0, (_relative(ours, middle) + _relative(theirs, middle)) / 2)


def _shares(
    counts: Mapping[K, float], others: Mapping[K, float], smoothing: float
) -> dict[K, float]:
    names = counts.keys() | others.keys()
    total = sum(counts.values()) + smoothing * len(names)
    return {name: (counts.get(name, 0.0) + smoothing) / total for name in names}


def _relative(ours: Mapping[K, float], middle: Mapping[K, float]) -> float:
    return sum(share * math.log2(share / middle[name]) for name, share in ours.items() if share > 0)

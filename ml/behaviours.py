"""What the domain says about behaviours, as arrays indexed by behaviour code."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from graph.domain.events import ITEM_BEHAVIOURS, EventType

N_CODES: int = max(behaviour.code for behaviour in ITEM_BEHAVIOURS.values()) + 1
PURCHASE: int = ITEM_BEHAVIOURS[EventType.PURCHASE].code
CART: int = ITEM_BEHAVIOURS[EventType.CART].code

WEIGHTS = np.zeros(N_CODES)
"""Strength of one event; negative where a behaviour takes interest back."""

HALF_LIVES_DAYS = np.ones(N_CODES)
"""After this many days the strength has halved."""

VIEWING = np.zeros(N_CODES, bool)
"""Behaviours that show the person has seen the item's price."""

for _type, _behaviour in ITEM_BEHAVIOURS.items():
    WEIGHTS[_behaviour.code] = _behaviour.weight
    HALF_LIVES_DAYS[_behaviour.code] = _behaviour.half_life_days
    VIEWING[_behaviour.code] = _behaviour.weight > 0


Weights = NDArray[np.float64]
"""Strength of one event by behaviour code."""


def usual_weights() -> Weights:
    """The strengths that hold where nobody says otherwise."""
    return WEIGHTS


def weights_of(changed: Mapping[str, float]) -> Weights:
    """
    The strengths with some of them changed, by behaviour.

    Raises:
        ValueError: no such behaviour on items, or a strength that is not finite.
    """
    found = WEIGHTS.copy()
    for name, weight in changed.items():
        if name not in ITEM_BEHAVIOURS:
            raise ValueError(f"{name} is no behaviour on items")
        if not math.isfinite(weight):
            raise ValueError(f"the weight of {name} must be a finite number")
        found[ITEM_BEHAVIOURS[EventType(name)].code] = weight
    return found


def named(weights: Weights) -> dict[str, float]:
    """The strengths by behaviour, for a reader."""
    return {
        kind.value: float(weights[behaviour.code]) for kind, behaviour in ITEM_BEHAVIOURS.items()
    }

"""What the domain says about behaviours, as arrays indexed by behaviour code."""

import numpy as np

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

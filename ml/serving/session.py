"""What fits somebody without a stored vector, by the directions of what they just touched."""

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import HALF_LIVES_DAYS, N_CODES, WEIGHTS, Weights
from ml.config import DAY_MS
from ml.ranking.sequences import Sequences
from ml.serving.history import KnownEvents

Scores = NDArray[np.float64]

POPULAR_SHARE = 0.1
"""How much popularity counts beside the cosine when a person has no vector yet."""

EVIDENCE = 12.0
"""With so much recent interest (two purchases), an item's vector counts half in a session."""

STEP_DECAY = 0.9
"""In a session, each event counts this much of the one after it."""


def by_direction(
    direction: NDArray[np.float32],
    popularity: NDArray[np.float32],
    events: KnownEvents,
    now_ms: int,
    weights: Weights = WEIGHTS,
) -> Scores:
    """
    Cosine of each item with the recent events, plus a little popularity.

    The vector of an item that hardly anybody bought is mostly its category's, and fits
    everything a little; so the cosine counts by how much stands behind it.

    Shapes, V items:
        direction:  (V, 128), two halves of length 1
        popularity: (V,) weighted events
        returns:    (V,) about -1 to 1.1
    """
    code = np.clip(events.code, 0, N_CODES - 1)
    age_days = (now_ms - events.ts) / DAY_MS
    steps_back = np.arange(len(code))[::-1]
    worth = weights[code] * 0.5 ** (age_days / HALF_LIVES_DAYS[code]) * STEP_DECAY**steps_back
    profile = worth.astype(np.float32) @ direction[events.item]
    length = float(np.linalg.norm(profile))
    fit = direction @ profile / np.float32(max(length, 1e-9) * np.sqrt(2.0))
    backed = popularity / (popularity + EVIDENCE)
    score: Scores = fit * backed + POPULAR_SHARE * _popular_share(popularity)
    return score


def as_sequence(events: KnownEvents, n_items: int) -> Sequences:
    """The same events as the one row that a ranker is asked about."""
    return Sequences(
        item=events.item.astype(np.int32),
        start=np.array([0, len(events.item)], np.int64),
        n_items=n_items,
        code=np.clip(events.code, 0, N_CODES - 1).astype(np.int8),
        ts=events.ts,
    )


def _popular_share(popularity: NDArray[np.float32]) -> Scores:
    grown = np.log1p(popularity.astype(np.float64))
    found: Scores = grown / max(float(grown.max(initial=0.0)), 1e-9)
    return found

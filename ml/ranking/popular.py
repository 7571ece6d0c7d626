"""What everybody takes, lately: the first thing that a ranker must beat."""

import numpy as np
from numpy.typing import NDArray

from ml.config import DAY_MS
from ml.ranking.profiles import require_events
from ml.ranking.sequences import Sequences


class Popular:
    """
    The same scores for everybody: log(1 + decayed count of events).

    Args:
        half_life_days: age at which an event counts half; needs times.
        half_life_sequences: the same in sequences, for sequences that lie in order of time.
    """

    def __init__(
        self, *, half_life_days: float | None = None, half_life_sequences: float | None = None
    ) -> None:
        if half_life_days is not None and half_life_sequences is not None:
            raise ValueError("age is measured in days or in sequences, not in both")
        self._half_life_ms = None if half_life_days is None else half_life_days * DAY_MS
        self._half_life_sequences = half_life_sequences
        self._score = np.zeros(0, np.float32)

    def fit(self, past: Sequences) -> None:
        """Count; raises ``NotEnoughData`` without events and ``ValueError`` without times."""
        require_events(past)
        count = np.bincount(past.item, weights=self._weight(past), minlength=past.n_items)
        self._score = np.log1p(count).astype(np.float32)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) the same row for each."""
        return np.tile(self._score, (len(prefixes), 1))

    def _weight(self, past: Sequences) -> NDArray[np.float64] | None:
        if self._half_life_sequences is not None:
            return np.exp2(np.asarray(past.owner + 1.0 - len(past)) / self._half_life_sequences)
        if self._half_life_ms is None:
            return None
        if past.ts is None:
            raise ValueError("half_life_days needs sequences with times")
        return np.exp2(np.asarray(past.ts - past.ts.max(), np.float64) / self._half_life_ms)

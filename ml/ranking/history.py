"""What you had is what you take again: strong wherever people repeat themselves."""

import numpy as np
from numpy.typing import NDArray

from ml.ranking.profiles import TIE, popularity, profiles
from ml.ranking.sequences import Sequences


class OwnHistory:
    """
    The sequence's own items, latest and most frequent first, then the rest by popularity.

    Args:
        decay: what an event is worth when another one has come after it, 0 to 1.
    """

    def __init__(self, *, decay: float = 0.8) -> None:
        self._decay = decay
        self._popularity = np.zeros(0, np.float32)

    def fit(self, past: Sequences) -> None:
        """Count what is popular; raises ``NotEnoughData`` without events."""
        self._popularity = popularity(past)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) decayed number of the sequence's own events on each item."""
        own: NDArray[np.float32] = profiles(prefixes, decay=self._decay).toarray()
        return own + np.float32(TIE) * self._popularity

"""Only what is on sale can be shown: an item counts as known once somebody has touched it."""

import numpy as np
from numpy.typing import NDArray

from ml.ranking.sequences import Ranker, Sequences

UNKNOWN_SCORE = np.float32(-1e30)


class Known:
    """
    A ranker whose catalogue is what its past has, and what the asked one has touched already.

    A log that lists every item ever touched gives the future away: an item of it that nobody has
    touched yet is about to be. A model with content would find these items; here they share the
    last place.
    """

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker
        self._unknown = np.zeros(0, bool)

    def fit(self, past: Sequences) -> None:
        """Learn, and note which items there are; raises what the ranker raises."""
        self._ranker.fit(past)
        self._unknown = np.bincount(past.item, minlength=past.n_items) == 0

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) those of the ranker, unknown items lowest and equal."""
        found = self._ranker.scores(prefixes)
        own = prefixes.owner, prefixes.item
        kept = found[own]
        found = np.where(self._unknown, UNKNOWN_SCORE, found)
        found[own] = kept
        return found

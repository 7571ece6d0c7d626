"""What a stranger is shown without any model: what sells, and what they just had."""

import numpy as np
from numpy.typing import NDArray

from ml.cold.cases import keep, times
from ml.config import DAY_MS
from ml.ranking.popular import Popular
from ml.ranking.profiles import require_events
from ml.ranking.sequences import Sequences


class PopularLately(Popular):
    """
    Events of the last days, all alike.

    Args:
        days: how far back from the last event of the past.
    """

    def __init__(self, days: float = 7.0) -> None:
        super().__init__()
        self._days = days

    def fit(self, past: Sequences) -> None:
        """Count; raises ``NotEnoughData`` without events and ``ValueError`` without times."""
        require_events(past)
        ts = times(past)
        super().fit(keep(past, ts > ts.max() - self._days * DAY_MS))


class HistoryAlone:
    """The sequence's own items, newest first; all others are equal, so a tie is shared fairly."""

    def fit(self, past: Sequences) -> None:
        """Learns nothing; raises ``NotEnoughData`` without events, as every ranker does."""
        require_events(past)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) 1 for the newest item, 1/2 for the one before, and so on; 0 for the others."""
        found = np.zeros((len(prefixes), prefixes.n_items), np.float32)
        behind = np.repeat(prefixes.start[1:], prefixes.lengths) - np.arange(len(prefixes.item))
        np.maximum.at(found, (prefixes.owner, prefixes.item), (1 / behind).astype(np.float32))
        return found


class CategoryPrior:
    """
    Popularity inside the categories of the prefix, added to popularity at large.

    Args:
        category: (V,) int64.
        days: half-life of an event, in popularity.
        trust: what the categories count against popularity at large.
    """

    def __init__(
        self, category: NDArray[np.int64], *, days: float = 28.0, trust: float = 0.3
    ) -> None:
        self._category = category
        self._days = days
        self._trust = trust

    def fit(self, past: Sequences) -> None:
        """Count; raises ``NotEnoughData`` without events and ``ValueError`` without times."""
        require_events(past)
        age = (times(past).max() - times(past)) / DAY_MS
        count = np.bincount(past.item, np.exp2(-age / self._days), past.n_items) + 1e-3
        of_category = np.bincount(self._category, count)
        self._share = (count / count.sum()).astype(np.float32)
        self._inside = (count / of_category[self._category]).astype(np.float32)
        self._n = len(of_category)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) the chance of each item in a draw from one of the prefix's categories."""
        at = (prefixes.owner, self._category[prefixes.item])
        liked = np.zeros((len(prefixes), self._n), np.float32)
        np.add.at(liked, at, 1 / np.maximum(prefixes.lengths, 1)[prefixes.owner])
        found: NDArray[np.float32] = liked[:, self._category] * self._inside
        found *= np.float32(self._trust)
        found += np.float32(1 - self._trust) * self._share
        return found

"""The first baseline: what sold last week sells next week."""

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.pools import Pool


class Popularity:
    """Scores a pair by the item's events of the last seven days; knows nothing of the person."""

    def fit(self, pool: Pool) -> None:
        """There is nothing to learn."""

    def logits(self, pool: Pool) -> NDArray[np.float64]:
        """(P,) log(1 + events of the last 7 days)."""
        return np.log1p(pool.week.astype(np.float64))

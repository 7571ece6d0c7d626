"""The second baseline: logistic regression on the eight counters."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml.errors import NotEnoughData
from ml.evaluation.pools import Pool
from ml.features.names import FEATURES


class Logistic:
    """Weighs the standardised counters; sampled negatives count by their weight."""

    def __init__(self) -> None:
        """Start empty."""
        self._mean = np.zeros(len(FEATURES))
        self._deviation = np.ones(len(FEATURES))
        self._weight = np.zeros(len(FEATURES))
        self._bias = 0.0

    def fit(self, pool: Pool) -> None:
        """Learn from the touched pairs, those that the test asks about."""
        pool = pool.take(pool.touched)
        if not 0 < pool.label.sum() < len(pool):
            raise NotEnoughData("one class only", pairs=len(pool), positives=pool.label.sum())
        features = pool.features.astype(np.float64)
        self._mean = features.mean(axis=0)
        spread = features.std(axis=0)
        self._deviation = np.where(spread > 1e-6, spread, 1.0)
        model = LogisticRegression(max_iter=200)
        model.fit(self._standard(features), pool.label, sample_weight=pool.weight)
        self._weight, self._bias = model.coef_[0], float(model.intercept_[0])

    def logits(self, pool: Pool) -> NDArray[np.float64]:
        """(P,) log-odds at the natural rate."""
        return self._standard(pool.features.astype(np.float64)) @ self._weight + self._bias

    def _standard(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return (features - self._mean) / self._deviation

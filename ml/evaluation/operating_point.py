"""What precision, recall and AUC say together: the share of positives behind them."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """
    A model at its threshold, under the model of two normal score distributions of equal variance.

    Attributes:
        recall: share of the positives that are said yes to.
        auc: chance that a positive beats a negative.
    """

    recall: float
    auc: float

    @property
    def distance(self) -> float:
        """Between the means of the two classes, in deviations."""
        return float(np.sqrt(2) * ndtri(self.auc))

    @property
    def false_positive_rate(self) -> float:
        """Share of the negatives that are said yes to."""
        return float(ndtr(ndtri(self.recall) - self.distance))

    def share_of_positives(self, precision: float) -> float:
        """The share of positives at which this point has the given precision."""
        wrong = precision * self.false_positive_rate
        return wrong / (wrong + self.recall * (1 - precision))

    def f1_at(self, share: float) -> float:
        """F1 of the same threshold where the share of positives is another one."""
        return _f1(self.recall, self.false_positive_rate, share)

    def best_f1_at(self, share: float) -> float:
        """F1 of the same scores at the threshold that suits that share best."""
        cut = np.linspace(-8, 8, 4001)  # deviations above the mean of the negatives
        recall, wrong = ndtr(self.distance - cut), ndtr(-cut)
        return float(np.max(2 * share * recall / (share * recall + (1 - share) * wrong + share)))


def f1_of_always_yes(share: float) -> float:
    """F1 without any model."""
    return 2 * share / (1 + share)


def _f1(recall: float, wrong: float, share: float) -> float:
    return 2 * share * recall / (share * recall + (1 - share) * wrong + share)

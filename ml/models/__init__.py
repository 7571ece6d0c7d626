"""
The models, by name: each learns from a pool of pairs and answers logits.

``paper`` needs torch and is imported from ``ml.models.paper`` by whoever trains.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.pools import Pool
from ml.models.logistic import Logistic
from ml.models.popularity import Popularity


class PairModel(Protocol):
    """Learns which pairs end in a purchase."""

    def fit(self, pool: Pool) -> None:
        """Learn from labelled pairs."""

    def logits(self, pool: Pool) -> NDArray[np.float64]:
        """(P,) scores, higher is likelier; always finite."""


BASELINES: dict[str, type[PairModel]] = {"popularity": Popularity, "logistic": Logistic}
"""What every model is compared with."""

__all__ = ["BASELINES", "Logistic", "PairModel", "Popularity"]

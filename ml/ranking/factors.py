"""Matrix factorisation: ALS and BPR of the library ``implicit``."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from ml.ranking.people import PeopleVectors
from ml.ranking.profiles import TIE, popularity, touched
from ml.ranking.sequences import Sequences


class ALS:
    """
    Weighted least squares on what was touched and, lightly, on what was not.

    A prefix gets the vector that learning would have given to it, so new ones are answered too.

    Args:
        weight: α, how much more a touched item counts than another one.

    Source:
        Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback Datasets, 2008.
    """

    def __init__(
        self,
        *,
        factors: int = 64,
        regularisation: float = 0.05,
        weight: float = 10.0,
        iterations: int = 15,
        seed: int = 0,
    ) -> None:
        self._weight = np.float32(weight)
        self._settings = {
            "factors": factors,
            "regularization": regularisation,
            "iterations": iterations,
            "random_state": seed,
        }
        self._net: Any = None
        self._popularity = np.zeros(0, np.float32)

    def fit(self, past: Sequences) -> None:
        """Factorise; raises ``NotEnoughData`` without events."""
        self._popularity = popularity(past)
        # BLAS threads under the library's own make it ten times slower, as it says itself.
        with threadpool_limits(1, "blas"):
            self._net = AlternatingLeastSquares(**self._settings, num_threads=1, use_gpu=False)
            self._net.fit(self._weighted(past), show_progress=False)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) products of the folded-in vectors with those of the items."""
        if not len(prefixes):
            return np.zeros((0, prefixes.n_items), np.float32)
        people = self._net.recalculate_user(np.arange(len(prefixes)), self._weighted(prefixes))
        found: NDArray[np.float32] = people @ self._net.item_factors.T
        return found + np.float32(TIE) * self._popularity

    def _weighted(self, sequences: Sequences) -> csr_matrix:
        return csr_matrix(touched(sequences) * self._weight)


class BPR:
    """
    Each touched item above one that was not.

    Source:
        Rendle et al., Bayesian Personalized Ranking from Implicit Feedback, 2009
        (arXiv:1205.2618).
    """

    def __init__(
        self,
        *,
        factors: int = 64,
        learning_rate: float = 0.05,
        regularisation: float = 0.01,
        iterations: int = 100,
        seed: int = 0,
    ) -> None:
        self._settings = {
            "factors": factors,
            "learning_rate": learning_rate,
            "regularization": regularisation,
            "iterations": iterations,
            "random_state": seed,
        }
        self._learned: _Learned | None = None

    def fit(self, past: Sequences) -> None:
        """Learn from sampled pairs; raises ``NotEnoughData`` without events."""
        popular = popularity(past)
        with threadpool_limits(1, "blas"):
            net = BayesianPersonalizedRanking(**self._settings, num_threads=1, use_gpu=False)
            net.fit(csr_matrix(touched(past)), show_progress=False)
        people = PeopleVectors(past, np.asarray(net.user_factors, np.float32))
        self._learned = _Learned(people, np.asarray(net.item_factors, np.float32), popular)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) products of the people's vectors with those of the items."""
        assert self._learned is not None
        found: NDArray[np.float32] = self._learned.people.of(prefixes) @ self._learned.items.T
        return found + np.float32(TIE) * self._learned.popularity


@dataclass(frozen=True, slots=True)
class _Learned:
    people: PeopleVectors
    items: NDArray[np.float32]
    popularity: NDArray[np.float32]

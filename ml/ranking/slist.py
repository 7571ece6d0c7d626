"""EASE that reads order: a linear map from what came before to what comes after."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csr_array

from ml.ranking.ease import LARGEST, mirror
from ml.ranking.profiles import TIE, popularity, profiles, touched
from ml.ranking.sequences import Sequences


class SLIST:
    """
    A dense table fitted to two questions at once, in closed form.

    Every sequence is asked at each of its places for what comes next, from what came before;
    and, as in EASE, for each of its items from the others.

    Args:
        ridge: larger trusts rare pairs less.
        together: weight of the question that EASE asks; 0 leaves transitions alone.
        decay: what a prefix event is worth when another one has come after it, in learning and
            in asking, 0 to 1.
        foresight: the same for what comes after, read away from the place of the question.

    Source:
        Choi et al., Session-aware Linear Item-Item Models, 2021 (arXiv:2103.16104), eq. 12-17.
        Ours decays by a factor per event and keeps one ridge for both questions.
    """

    def __init__(
        self,
        *,
        ridge: float = 120.0,
        together: float = 0.5,
        decay: float = 0.7,
        foresight: float = 0.5,
    ) -> None:
        self._ridge = ridge
        self._together = together
        self._decay = decay
        self._foresight = foresight
        self._popularity = np.zeros(0, np.float32)
        self._table = np.zeros((0, 0), np.float32)

    def fit(self, past: Sequences) -> None:
        """
        Solve; raises ``NotEnoughData`` without events.

        Raises:
            ValueError: the catalogue is too large for a dense table.
        """
        if past.n_items > LARGEST:
            raise ValueError(f"SLIST takes at most {LARGEST} items, there are {past.n_items}")
        self._popularity = popularity(past)
        before = _windows(past, self._decay, is_ahead=False)
        after = _windows(past, self._foresight, is_ahead=True)
        owned = touched(past)
        both = np.float32(self._together) * (owned.T @ owned)
        gram = csr_array(before.T @ before + both)
        self._table = _solve(
            gram, csr_array(before.T @ after + both), self._ridge, is_joint=self._together > 0
        )

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) what the events of each add up to, late ones counting for more."""
        found: NDArray[np.float32] = profiles(prefixes, decay=self._decay) @ self._table
        return found + np.float32(TIE) * self._popularity


def _windows(past: Sequences, decay: float, *, is_ahead: bool) -> csr_array:
    """(M, V) for each place after a first event: what came before it, or it and what followed."""
    begin = np.repeat(past.start[:-1], past.lengths)
    end = np.repeat(past.start[1:], past.lengths)
    place = np.flatnonzero(np.arange(len(past.item)) > begin)
    first, stop = (place, end[place]) if is_ahead else (begin[place], place)
    lengths = stop - first
    start = np.append(0, np.cumsum(lengths))
    row = np.arange(start[-1]) - np.repeat(start[:-1] - first, lengths)
    gap = row - np.repeat(place, lengths) if is_ahead else np.repeat(place - 1, lengths) - row
    weight = np.power(np.float32(decay), gap.astype(np.float32))
    shape = (len(place), past.n_items)
    matrix = csr_array((weight, past.item[row], start), shape=shape)
    matrix.sum_duplicates()
    return matrix


def _solve(
    gram: csr_array, cross: csr_array, ridge: float, *, is_joint: bool
) -> NDArray[np.float32]:
    """
    (V, V) ``(gram + ridge)⁻¹ cross``; where EASE's question is in it, the diagonal is emptied.

    One dense inverse, then a product with a sparse matrix: the cost of EASE.
    """
    dense = gram.toarray(order="F")
    dense[np.diag_indices_from(dense)] += np.float32(ridge)
    factor, failed = spotrf(dense, lower=1, clean=0, overwrite_a=1)
    inverse, failed = (factor, failed) if failed else spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise ValueError(f"ridge {ridge:g} is too small for these data")
    mirror(inverse)
    table: NDArray[np.float32] = np.ascontiguousarray((csr_array(cross.T) @ inverse).T)
    if is_joint:
        table -= inverse * (np.diag(table) / np.diag(inverse))
        np.fill_diagonal(table, 0)
    return table

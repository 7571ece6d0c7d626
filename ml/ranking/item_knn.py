"""Items that share their people: cosine neighbours."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.ranking.profiles import TIE, popularity, profiles, touched
from ml.ranking.sequences import Sequences


class ItemKNN:
    """
    Cosine of two items' columns of people, the best neighbours of each item kept.

    Args:
        neighbours: how many are kept.
        shrink: added to the divisor; items seen by few are trusted less.
        decay: what a prefix event is worth when another one has come after it, 0 to 1.
        memory: how many of the last events of a sequence are read, in learning too: somebody
            with ten thousand events would make a hundred million pairs.
        damping: an owner of n items counts ``n ** -damping``: who takes all says little.
    """

    def __init__(
        self,
        *,
        neighbours: int = 200,
        shrink: float = 0.0,
        decay: float = 1.0,
        memory: int = 500,
        damping: float = 0.0,
    ) -> None:
        self._neighbours = neighbours
        self._shrink = shrink
        self._decay = decay
        self._memory = memory
        self._damping = damping
        self._popularity = np.zeros(0, np.float32)
        self._table: csr_array = csr_array(np.zeros((0, 0), np.float32))

    def fit(self, past: Sequences) -> None:
        """Find the neighbours; raises ``NotEnoughData`` without events."""
        self._popularity = popularity(past)
        owned = touched(past.last(self._memory))
        count = np.diff(owned.indptr)
        owned.data *= np.repeat(np.maximum(count, 1) ** (-self._damping / 2), count)
        norm = np.sqrt(np.bincount(owned.indices, owned.data**2, past.n_items))
        together = csr_array(owned.T @ owned)
        row = np.repeat(np.arange(past.n_items), np.diff(together.indptr))
        column = together.indices
        together.data /= norm[row] * norm[column] + self._shrink
        together.data[row == column] = 0
        self._table = strongest(together, self._neighbours)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) decayed sum of the similarities to the events of each."""
        recent = profiles(prefixes, decay=self._decay, steps=self._memory)
        found: NDArray[np.float32] = (recent @ self._table).toarray()
        return found + np.float32(TIE) * self._popularity


def strongest(table: csr_array, k: int) -> csr_array:
    """The k largest positive values of each row, equal ones in the order of their columns."""
    row = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    order = np.lexsort((table.indices, -table.data, row))
    place = np.arange(len(row)) - np.repeat(table.indptr[:-1], np.diff(table.indptr))
    keep = order[(place < k) & (table.data[order] > 0)]
    pairs = (row[keep], table.indices[keep])
    return csr_array((table.data[keep].astype(np.float32), pairs), shape=table.shape)

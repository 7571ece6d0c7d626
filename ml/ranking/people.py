"""Vectors of people, for models that learn one per person and are asked about strangers."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from ml.ranking.profiles import profiles, touched
from ml.ranking.sequences import Sequences


class PeopleVectors:
    """
    Who was learned from keeps the learned vector; a stranger gets one from those alike.

    A sequence is recognised by its items, in order. A stranger's vector is the mean, over the
    events, of the mean vector of the people who have the item, stretched to the usual length.

    Shapes:
        vectors: (S, d) float32, of the S sequences of ``past``
    """

    def __init__(self, past: Sequences, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors
        self._row = {key: row for row, key in enumerate(_keys(past))}
        owned = touched(past)
        count = np.maximum(np.bincount(owned.indices, minlength=past.n_items), 1)
        self._of_item = np.asarray(diags_array(1 / count) @ (owned.T @ vectors), np.float32)
        self._length = float(np.linalg.norm(vectors, axis=1).mean())

    def of(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, d) one vector each; an empty prefix has the mean of all."""
        found = self._of_strangers(profiles(prefixes))
        for row, key in enumerate(_keys(prefixes)):
            known = self._row.get(key)
            if known is not None:
                found[row] = self._vectors[known]
        return found

    def _of_strangers(self, own: csr_array) -> NDArray[np.float32]:
        found = np.asarray(own @ self._of_item, np.float32)
        found[np.diff(own.indptr) == 0] = self._vectors.mean(axis=0)
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found * (self._length / np.maximum(length, 1e-6)), np.float32)


def _keys(sequences: Sequences) -> list[bytes]:
    raw = np.ascontiguousarray(sequences.item, np.int32).tobytes()
    size = sequences.item.itemsize
    ends = (sequences.start * size).tolist()
    return [raw[begin:end] for begin, end in pairwise(ends)]

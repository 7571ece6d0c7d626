"""What follows what: transitions between items a few steps apart."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.ranking.profiles import TIE, popularity, profiles
from ml.ranking.sequences import Sequences


class Markov:
    """
    Transitions over up to k steps, a pair that lies ``gap`` events apart counting ``1 / gap``.

    A row of the table is divided by ``events of the item ** damping``; the rows of the prefix's
    last events are added up.

    Args:
        steps: how many events ahead a transition may reach.
        decay: what a prefix event is worth when another one has come after it, 0 to 1.
        memory: how many of the last events of a prefix are asked.
        damping: 0 leaves counts as they are, 1 makes them frequencies.
        backward: weight of the same pairs read backwards; 1 is plain co-visitation.
        half_life_sequences: how many later sequences halve a transition's weight, for sequences
            that lie in order of time.
    """

    def __init__(
        self,
        *,
        steps: int = 5,
        decay: float = 0.6,
        memory: int = 20,
        damping: float = 0.5,
        backward: float = 0.0,
        half_life_sequences: float | None = None,
    ) -> None:
        self._steps = steps
        self._decay = decay
        self._memory = memory
        self._damping = damping
        self._backward = backward
        self._half_life_sequences = half_life_sequences
        self._popularity = np.zeros(0, np.float32)
        self._table: csr_array = csr_array(np.zeros((0, 0), np.float32))

    def fit(self, past: Sequences) -> None:
        """Count transitions; raises ``NotEnoughData`` without events."""
        self._popularity = popularity(past)
        table = transitions(past, self._steps, self._weight(past))
        if self._backward:
            table = table + np.float32(self._backward) * table.T
        count = np.maximum(np.bincount(past.item, minlength=past.n_items), 1)
        scale = np.power(count.astype(np.float32), -self._damping)
        table = csr_array(table)
        table.data *= np.repeat(scale, np.diff(table.indptr))
        self._table = table

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) decayed sum of the rows of the last events."""
        recent = profiles(prefixes, decay=self._decay, steps=self._memory)
        found: NDArray[np.float32] = (recent @ self._table).toarray()
        return found + np.float32(TIE) * self._popularity

    def _weight(self, past: Sequences) -> NDArray[np.float32]:
        if self._half_life_sequences is None:
            return np.ones(len(past), np.float32)
        age = np.arange(len(past))[::-1] / self._half_life_sequences
        return np.exp2(-age).astype(np.float32)


def transitions(
    past: Sequences, steps: int, weight: NDArray[np.float32] | None = None
) -> csr_array:
    """
    (V, V) float32, summed ``1 / gap`` of the pairs (earlier, later) up to ``steps`` apart.

    An item never follows itself; ``weight`` (S,) is of each sequence, 1 by default.
    """
    weight = np.ones(len(past), np.float32) if weight is None else weight
    before, after, value = [], [], []
    for gap in range(1, steps + 1):
        owner = past.owner
        first = np.flatnonzero(owner[:-gap] == owner[gap:])
        first = first[past.item[first] != past.item[first + gap]]
        before.append(past.item[first])
        after.append(past.item[first + gap])
        value.append(weight[owner[first]] / np.float32(gap))
    shape = (past.n_items, past.n_items)
    pairs = (np.concatenate(before), np.concatenate(after))
    return csr_array((np.concatenate(value), pairs), shape=shape)

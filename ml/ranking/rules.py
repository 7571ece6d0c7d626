"""Sequential rules: after this item came those, the nearer the stronger."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.ranking.profiles import TIE, popularity
from ml.ranking.sequences import Sequences


class SequentialRules:
    """
    Counts of what followed the last item, a pair ``gap`` events apart counting ``1 / gap``.

    Args:
        steps: how many events ahead a rule may reach.
        half_life: age in later sequences at which a rule counts half; ``None`` for no ageing.

    Source:
        Ludewig and Jannach, 2018 (arXiv:1803.09587), SR. An item may follow itself, as it does
        when somebody reloads a page.
    """

    def __init__(self, *, steps: int = 3, half_life: float | None = None) -> None:
        self._steps = steps
        self._half_life = half_life

    def fit(self, past: Sequences) -> None:
        """Count the pairs; raises ``NotEnoughData`` without events."""
        self._popularity = popularity(past)
        self._table = follows(past, steps=self._steps, half_life=self._half_life)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) the rule's counts; popularity where there are none."""
        found = np.zeros((len(prefixes), prefixes.n_items), np.float32)
        known = np.flatnonzero(prefixes.lengths)
        last = prefixes.item[prefixes.start[1:][known] - 1]
        found[known] = self._table[last].toarray()
        return found + np.float32(TIE) * self._popularity


def follows(past: Sequences, *, steps: int = 1, half_life: float | None = None) -> csr_array:
    """(V, V) float32 summed weights of (earlier, later) pairs up to ``steps`` apart."""
    age = np.arange(len(past))[::-1] / (half_life or np.inf)
    weight = np.exp2(-age).astype(np.float32)
    owner = past.owner
    rows, columns, values = [], [], []
    for gap in range(1, steps + 1):
        first = np.flatnonzero(owner[:-gap] == owner[gap:])
        rows.append(past.item[first])
        columns.append(past.item[first + gap])
        values.append(weight[owner[first]] / np.float32(gap))
    shape = (past.n_items, past.n_items)
    pairs = (np.concatenate(rows), np.concatenate(columns))
    table = csr_array((np.concatenate(values), pairs), shape=shape)
    table.sum_duplicates()
    return table

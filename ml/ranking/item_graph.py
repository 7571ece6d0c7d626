"""Which item leads to which: the edges along which item vectors are mixed."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.ranking.sequences import Sequences


def transitions(
    past: Sequences,
    *,
    neighbours: int = 20,
    steps: int = 1,
    half_life: float | None = None,
    both_ways: bool = True,
    code: int | None = None,
) -> csr_array:
    """
    (V, V) float32, rows of sum 1: from an item to those next to it in sequences.

    Args:
        neighbours: edges kept per item, the heaviest.
        steps: a pair that lies ``gap`` events apart counts ``1 / gap``, up to this gap.
        half_life: age, in later sequences, at which an edge counts half.
        both_ways: an edge also leads back; the item before is as near as the one after.
        code: count only pairs whose later event is of this behaviour.
    """
    weight = _ages(past, half_life)
    owner = past.owner
    rows, columns, values = [], [], []
    for gap in range(1, steps + 1):
        first = np.flatnonzero(owner[:-gap] == owner[gap:])
        first = first[past.item[first] != past.item[first + gap]]
        if code is not None:
            if past.code is None:
                raise ValueError("edges of one behaviour need sequences with codes")
            first = first[past.code[first + gap] == code]
        rows.append(past.item[first])
        columns.append(past.item[first + gap])
        values.append(weight[owner[first]] / np.float32(gap))
    row, column, value = (np.concatenate(part) for part in (rows, columns, values))
    table = csr_array((value, (row, column)), shape=(past.n_items, past.n_items))
    if both_ways:
        table = csr_array(table + table.T)
    return heaviest(table, neighbours)


def heaviest(table: csr_array, k: int) -> csr_array:
    """The k largest values of each row, divided by their sum."""
    row = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    order = np.lexsort((table.indices, -table.data, row))
    place = np.arange(len(row)) - table.indptr[:-1][row]
    keep = order[place < k]
    row, value = row[keep], table.data[keep]
    total = np.bincount(row, value, table.shape[0])
    shares = (value / total[row]).astype(np.float32)
    return csr_array((shares, (row, table.indices[keep])), shape=table.shape)


def _ages(past: Sequences, half_life: float | None) -> NDArray[np.float32]:
    if half_life is None:
        return np.ones(len(past), np.float32)
    age = np.arange(len(past))[::-1] / half_life
    return np.exp2(-age).astype(np.float32)

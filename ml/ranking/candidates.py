"""The few items of each case that are worth a second look."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.distinct import distinct
from ml.ranking.sequences import Sequences

FOLD = 32


def best_columns(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """
    (S, k) the k best columns of each row, in no order.

    They lie in the k folded columns with the highest maximum, so only those are partitioned.
    """
    n, v = scores.shape
    folds = v // FOLD
    if folds <= 2 * k:
        return np.argpartition(-scores, min(k, v) - 1, axis=1)[:, : min(k, v)]
    folded = scores[:, : folds * FOLD].reshape(n, FOLD, folds).max(axis=1)
    base = np.argpartition(-folded, k - 1, axis=1)[:, :k]
    items = (base[:, :, None] + np.arange(FOLD) * folds).reshape(n, -1)
    rest = np.broadcast_to(np.arange(folds * FOLD, v), (n, v - folds * FOLD))
    items = np.concatenate([items, rest], axis=1)
    chosen = np.argpartition(-np.take_along_axis(scores, items, 1), k - 1, axis=1)[:, :k]
    return np.take_along_axis(items, chosen, 1)


def union(
    channels: Sequence[NDArray[np.float32]], prefixes: Sequences, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Row and item of the k best of each channel and of the prefix's own items, each pair once.

    Shapes:
        channels: (S, V) each; returns (C,) and (C,), by ascending row and item
    """
    n, v = channels[0].shape
    rows = np.arange(n)[:, None] * v
    keys = [(rows + best_columns(scores, k)).ravel() for scores in channels]
    keys.append(prefixes.owner * v + prefixes.item)
    row, item = np.divmod(distinct(np.concatenate(keys)), v)
    return row, item

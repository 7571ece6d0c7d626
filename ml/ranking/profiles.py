"""Sequences as a sparse matrix: what each one touched, late events counting for more."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.errors import NotEnoughData
from ml.ranking.sequences import Sequences

TIE = 1e-6
"""Weight of popularity where a ranker knows nothing: it orders ties and moves nothing else."""


def profiles(
    sequences: Sequences,
    *,
    decay: float = 1.0,
    steps: int | None = None,
    kind_weight: NDArray[np.float32] | None = None,
) -> csr_array:
    """
    (S, V) float32, the sum over a sequence's events of ``decay ** (events after it)``.

    Args:
        decay: above 0 and at most 1; 1 counts all events alike.
        steps: use only the last so many events of each.
        kind_weight: weight of each event by its ``code``; needs sequences with codes.
    """
    part = sequences if steps is None else sequences.last(steps)
    weight = np.power(np.float32(decay), events_after(part))
    if kind_weight is not None:
        if part.code is None:
            raise ValueError("kind_weight needs sequences with codes")
        weight = weight * kind_weight[part.code]
    shape = (len(part), part.n_items)
    # A copy: summing duplicates would write into the sequences.
    matrix = csr_array((weight.astype(np.float32), part.item, part.start), shape=shape, copy=True)
    matrix.sum_duplicates()
    return matrix


def touched(sequences: Sequences) -> csr_array:
    """(S, V) float32, 1 where the sequence has the item."""
    matrix = profiles(sequences)
    matrix.data[:] = 1
    return matrix


def events_after(sequences: Sequences) -> NDArray[np.float32]:
    """(N,) how many events of the same sequence come after each."""
    end = np.repeat(sequences.start[1:], sequences.lengths)
    after = end - 1 - np.arange(len(sequences.item))
    return np.asarray(after, np.float32)


def popularity(past: Sequences) -> NDArray[np.float32]:
    """(V,) events of each item over those of the best one, 0 to 1."""
    require_events(past)
    count = np.bincount(past.item, minlength=past.n_items)
    return np.asarray(count / count.max(), np.float32)


def require_events(past: Sequences) -> None:
    """Raise ``NotEnoughData`` where there is no event at all."""
    if not len(past.item):
        raise NotEnoughData("a ranker learns from events", sequences=len(past), events=0)

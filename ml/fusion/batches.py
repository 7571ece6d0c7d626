"""From flat sequences to the tensors of a step; no loop runs over rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.config import DAY_MS
from ml.fusion.people import GAPS, HOURS, Events
from ml.ranking.sequences import Sequences

HOUR_MS = 3_600_000


def windows(past: Sequences, steps: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    First and last event (inclusive) of each piece that is learned from.

    A piece has ``steps + 1`` events at most; the last event of one is the first of the next, so
    that every event but the first of a sequence is foretold once.
    """
    pieces = np.maximum(-(-(past.lengths - 1) // steps), 0)
    owner = np.repeat(np.arange(len(past)), pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = past.start[:-1][owner] + number * steps
    return begin, np.minimum(begin + steps, past.start[1:][owner] - 1)


def batches(
    lengths: NDArray[np.int64], events: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Rows of about equal length, about ``events`` events together, in random order."""
    if not len(lengths):
        return
    order = rng.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    bucket = np.cumsum(lengths[order]) // events
    parts = np.split(order, np.flatnonzero(np.diff(bucket)) + 1)
    for k in rng.permutation(len(parts)):
        yield parts[k]


def gather(
    past: Sequences,
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    moment: NDArray[np.int64] | None = None,
) -> Events:
    """
    The events ``begin[k] : end[k]`` of each row, left-aligned.

    Args:
        moment: (B,) ms, asked about in place of what comes after each event; needs times.
    """
    at, inside = positions(begin, end)
    length = end - begin
    item = np.where(inside, _or_zero(past.item)[at], past.n_items)
    code = np.zeros_like(at) if past.code is None else np.where(inside, _or_zero(past.code)[at], 0)
    gap = hour = None
    if past.ts is None:
        place = np.broadcast_to(np.arange(at.shape[1], dtype=np.float32), at.shape)
    else:
        ts = _or_zero(past.ts)[at]
        place = ((ts - ts[:, :1]) / DAY_MS).astype(np.float32)
        gap, hour = _ints(_gaps(ts)), _ints(ts // HOUR_MS % HOURS)
    if moment is None:
        age = np.maximum(place[:, :, None] - place[:, None, :], 0)
    elif past.ts is None:
        raise ValueError("a moment can be asked about only where events have times")
    else:
        days = np.where(inside, (moment[:, None] - ts) / DAY_MS, 0)
        age = np.maximum(days, 0).astype(np.float32)[:, None]
    return Events(
        item=_ints(item),
        code=_ints(code),
        gap=gap,
        hour=hour,
        age=torch.from_numpy(age),
        length=_ints(length),
    )


def positions(
    begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(B, T) where the events of each row stand, 0 at padding, and which are no padding."""
    at = begin[:, None] + np.arange(max(int((end - begin).max(initial=1)), 1))
    inside = at < end[:, None]
    return np.where(inside, at, 0), inside


def _or_zero(column: NDArray[Any]) -> NDArray[Any]:
    """The column; one zero where nobody has any event, so that padding can be looked up."""
    return column if len(column) else np.zeros(1, column.dtype)


def _gaps(ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bucket of log2 of the seconds since the event before; padding gives any bucket."""
    seconds = np.maximum(np.diff(ts, axis=1, prepend=ts[:, :1]) / 1000, 0)
    bucket: NDArray[np.int64] = np.log2(1 + seconds) * (GAPS / 24)
    return np.minimum(bucket, GAPS - 1).astype(np.int64)


def _ints(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.int64))

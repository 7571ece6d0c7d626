"""What is touched soon after what, counted over everybody's life."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.cold.cases import times
from ml.ranking.sequences import Sequences

CHUNK = 2_000_000
"""Pairs that are expanded at once, about 100 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    """
    Counts over events and the distinct items that their person touched within the horizon.

    Shapes, V items, K behaviour codes:
        table:  (V, V) float32, events on the row's item that the column's item followed; the
                diagonal is empty
        again:  (V,) float64, events on an item that the same item followed
        events: (V,) float64, events that had their whole horizon to be followed
        again_by_code, events_by_code: (K,) float64, the same by behaviour
    """

    table: csr_array
    again: NDArray[np.float64]
    events: NDArray[np.float64]
    again_by_code: NDArray[np.float64]
    events_by_code: NDArray[np.float64]


def follows(past: Sequences, horizon: int, n_codes: int, *, ahead: int | None = None) -> Follows:
    """
    Count over all events but those so late that their horizon lies outside of the past.

    Args:
        ahead: only so many later events of the person are looked at, which bounds time and memory.
    """
    ts, v = times(past), past.n_items
    code = np.zeros(len(ts), np.int64) if past.code is None else past.code.astype(np.int64)
    counted = ts <= ts.max() - horizon if len(ts) else np.zeros(0, bool)
    table = csr_array((v, v), dtype=np.float32)
    again = np.zeros(len(ts), bool)
    for event, item in _pairs(past, ts, counted, horizon, ahead):
        same = past.item[event] == item
        again[event[same]] = True
        cells = (past.item[event[~same]], item[~same])
        table = table + csr_array((np.ones(len(cells[0]), np.float32), cells), shape=(v, v))
    return Follows(
        table=csr_array(table),
        again=np.bincount(past.item[again], minlength=v).astype(np.float64),
        events=np.bincount(past.item[counted], minlength=v).astype(np.float64),
        again_by_code=np.bincount(code[again], minlength=n_codes).astype(np.float64),
        events_by_code=np.bincount(code[counted], minlength=n_codes).astype(np.float64),
    )


def _pairs(
    past: Sequences,
    ts: NDArray[np.int64],
    counted: NDArray[np.bool_],
    horizon: int,
    ahead: int | None,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Event and item of every distinct item that follows it, a chunk of events at a time."""
    if not len(ts):
        return
    # One number per (person, time), so that one search finds the end of every event's horizon.
    first = int(ts.min())
    span = int(ts.max()) - first + horizon + 2
    when = past.owner * span + (ts - first)
    begin = np.searchsorted(when, when, side="right")
    end = np.searchsorted(when, when + horizon, side="left")
    end = end if ahead is None else np.minimum(end, begin + ahead)
    count = np.where(counted, end - begin, 0)
    chunk = np.cumsum(count) // CHUNK
    for events in np.split(np.arange(len(ts)), np.flatnonzero(np.diff(chunk)) + 1):
        many = count[events]
        total = np.cumsum(many)
        at = np.arange(total[-1]) + np.repeat(begin[events] - total + many, many)
        key = np.repeat(events, many) * past.n_items + past.item[at]
        key.sort()  # five times as quick as a set of so many numbers
        event, item = np.divmod(key[np.diff(key, prepend=-1) != 0], past.n_items)
        yield event, item.astype(np.int32)

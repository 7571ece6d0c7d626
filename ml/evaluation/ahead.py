"""The harder questions: before anything was put into the cart, and half an hour ahead."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import CART, PURCHASE
from ml.config import DAY_MS
from ml.dataset import Interactions
from ml.evaluation.pools import Pool

MINUTES = 30


def before_first_cart(pool: Pool, data: Interactions, window_days: int) -> Pool:
    """
    The pairs that were not in the cart in the window before their cutoff.

    A cart minutes before the purchase makes any model look good; here none was seen.
    """
    kept = np.ones(len(pool), bool)
    for cutoff, rows in _by_cutoff(pool):
        window = data.between(cutoff - window_days * DAY_MS, cutoff)
        kept[rows] = ~np.isin(_pairs(pool, data)[rows], window.pair[window.code == CART])
    return pool.take(kept)


def minutes_ahead(
    pool: Pool, data: Interactions, horizon_days: int, minutes: int = MINUTES
) -> Pool:
    """
    The pairs asked about ``minutes`` before the label window begins.

    Purchases within the first minutes after the cutoff do not count, and pairs bought then are
    not asked: what people did just before them was known too late to be of use.
    """
    label, kept = pool.label.copy(), np.ones(len(pool), bool)
    for cutoff, rows in _by_cutoff(pool):
        begin = cutoff + minutes * 60_000
        pair = _pairs(pool, data)[rows]
        label[rows] = np.isin(pair, _bought(data, begin, cutoff + horizon_days * DAY_MS))
        kept[rows] = ~np.isin(pair, _bought(data, cutoff, begin))
    return replace(pool, label=label).take(kept)


def _by_cutoff(pool: Pool) -> list[tuple[int, NDArray[np.bool_]]]:
    return [(int(cutoff), pool.cutoff == cutoff) for cutoff in np.unique(pool.cutoff)]


def _pairs(pool: Pool, data: Interactions) -> NDArray[np.int64]:
    return pool.user.astype(np.int64) * data.n_items + pool.item


def _bought(data: Interactions, start: int, end: int) -> NDArray[np.int64]:
    part = data.between(start, end)
    bought: NDArray[np.int64] = part.pair[part.code == PURCHASE]
    return bought

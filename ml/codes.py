"""Gives the items of a large catalogue short codes, and judges what is missed by trusting them."""

from typing import Any

import faiss
import numpy as np
import structlog
from numpy.typing import NDArray

from ml.serving.codes import Codes

log = structlog.get_logger(__name__)

LARGE = 50_000
"""Items from which on looking at all of them for each question is not worth it."""

GOOD = 0.98
"""Share of the exact nearest that must be found, on average."""

NEAREST, JUDGES = 200, 100
LEARN_FROM = 50_000

DEEP = (1_000, 2_000, 4_000, 8_000)
"""How many are looked at exactly; the first number with which little is missed is taken."""


def codes(
    directions: NDArray[np.float32], rows: NDArray[np.int64], *, seed: int = 0
) -> Codes | None:
    """
    Codes of some items, where they are many.

    Shapes:
        directions: (V, dim), two halves of length 1; rows: (N,) the items that may be near

    Returns:
        ``None`` where there are few, or where too much would be missed.
    """
    if len(rows) < LARGE:
        return None
    rng = np.random.default_rng(seed)
    vectors = directions[rows]
    dim = vectors.shape[1]
    index = faiss.IndexPQFastScan(dim, dim // 2, 4, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[rng.choice(len(rows), min(len(rows), LEARN_FROM), replace=False)])
    index.add(vectors)
    asked = rng.choice(len(rows), JUDGES, replace=False)
    least = [_least(vectors @ vectors[one]) for one in asked]
    recall = 0.0
    for deep in DEEP:
        made = Codes(index, rows, deep)
        found = [made.near(vectors[one], directions).values for one in asked]
        recall = float(np.mean([_held(*pair) for pair in zip(found, least, strict=True)]))
        if recall >= GOOD:
            log.info("codes_judged", items=len(rows), deep=deep, recall=round(recall, 4))
            return made
    log.info("codes_not_used", items=len(rows), recall=round(recall, 4))
    return None


def _least(values: NDArray[Any]) -> float:
    """The product from which on an item is among the nearest."""
    return float(np.partition(values, -NEAREST)[-NEAREST])


def _held(found: NDArray[Any], least: float) -> float:
    # Items that are alike are equally near, and any of them will do.
    return min(float(np.sum(found >= least - 1e-6)) / NEAREST, 1.0)

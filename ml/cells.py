"""Puts the items of a large catalogue into cells, and judges what is missed by looking into few."""

from typing import Any

import numpy as np
import structlog
import torch
from numpy.typing import NDArray

from ml.serving.cells import Cells

log = structlog.get_logger(__name__)

LARGE = 50_000
"""Items from which on looking at all of them for each question is not worth it."""

GOOD = 0.98
"""Share of the exact nearest that must be found, on average."""

NEAREST, JUDGES = 200, 200
ROUNDS, SAMPLE = 8, 50
"""Rounds of k-means, on so many items per cell."""

BLOCK = 16_384


def cells(
    directions: NDArray[np.float32], rows: NDArray[np.int64], *, seed: int = 0
) -> Cells | None:
    """
    Cells of some items, where they are many.

    Shapes:
        directions: (V, dim), two halves of length 1; rows: (N,) the items that may be near

    Returns:
        ``None`` where there are few, or where too much would be missed by looking into a tenth.
    """
    if len(rows) < LARGE:
        return None
    rng = np.random.default_rng(seed)
    vectors = directions[rows]
    centres = _centres(vectors, int(np.sqrt(len(rows))), rng)
    cell = _nearest(vectors, centres)
    order = np.argsort(cell, kind="stable")
    made = Cells(
        vectors=vectors[order],
        rows=rows[order],
        centres=centres,
        start=np.searchsorted(cell[order], np.arange(len(centres) + 1)),
        probes=1,
    )
    return _judged(made, vectors, rows, rng)


def _judged(
    made: Cells, vectors: NDArray[np.float32], rows: NDArray[np.int64], rng: np.random.Generator
) -> Cells | None:
    """With the fewest probes that miss little."""
    asked = rng.choice(len(rows), JUDGES, replace=False)
    exact = [_best(vectors @ vectors[one], rows) for one in asked]
    probes = 2
    while probes <= len(made.centres) // 10:
        tried = Cells(made.vectors, made.rows, made.centres, made.start, probes)
        found = [tried.near(vectors[one]) for one in asked]
        held = [
            np.isin(best, _best(one.values, one.rows)).mean()
            for best, one in zip(exact, found, strict=True)
        ]
        recall = float(np.mean(held))
        if recall >= GOOD:
            log.info("cells_judged", items=len(rows), probes=probes, recall=round(recall, 4))
            return tried
        probes = probes * 3 // 2
    log.info("cells_not_used", items=len(rows), recall=round(recall, 4))
    return None


def _best(values: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[np.argpartition(-values, min(NEAREST, len(values)) - 1)[:NEAREST]]


def _centres(
    vectors: NDArray[np.float32], count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Spherical k-means on a sample; an empty cell keeps its old centre."""
    sample = vectors[rng.choice(len(vectors), min(len(vectors), count * SAMPLE), replace=False)]
    centres = sample[rng.choice(len(sample), count, replace=False)].copy()
    for _ in range(ROUNDS):
        cell = _nearest(sample, centres)
        total = np.zeros_like(centres)
        np.add.at(total, cell, sample)
        length = np.linalg.norm(total, axis=1, keepdims=True)
        centres = np.where(length > 0, total / np.maximum(length, 1e-9), centres)
    return centres.astype(np.float32)


def _nearest(vectors: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N,) the cell of each vector, block by block."""
    to = torch.from_numpy(centres).T
    parts = [
        (torch.from_numpy(vectors[start : start + BLOCK]) @ to).argmax(1).numpy()
        for start in range(0, len(vectors), BLOCK)
    ]
    return np.concatenate(parts)

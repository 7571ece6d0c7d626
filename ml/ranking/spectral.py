"""Vectors of items from what stands near what: a start for networks, found in a second."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from ml.ranking.markov import transitions
from ml.ranking.sequences import Sequences

SPARE = 16
"""Directions that the iteration carries beside those asked for, so that the last ones settle."""


def spectral_items(
    past: Sequences, dim: int, *, steps: int = 5, rounds: int = 8
) -> NDArray[np.float32]:
    """
    (V, dim) float32 rows of length 1: the leading eigenvectors of "stands near".

    Items that are near each other in sequences, or near the same ones, point the same way. A row
    of zeros is an item that nobody had beside another one.

    Args:
        steps: how far apart two events may lie to count as near, a gap of n counting 1 / n.
        rounds: products of the subspace iteration (Halko et al., arXiv:0909.4061).
    """
    near = transitions(past, steps)
    near = csr_array(near + near.T)
    degree = np.maximum(np.asarray(near.sum(axis=1)).ravel(), 1e-9)
    scale = diags_array(np.power(degree, -0.5).astype(np.float32))
    near = csr_array(scale @ near @ scale)
    # A fixed start: the subspace that the rounds end in hardly depends on it.
    width = min(dim + SPARE, past.n_items)
    basis = np.random.default_rng(0).normal(size=(past.n_items, width)).astype(np.float32)
    for _ in range(rounds):
        basis, _ = np.linalg.qr(near @ basis)
    small = basis.T @ (near @ basis)
    value, vector = np.linalg.eigh((small + small.T) / 2)
    best = np.argsort(-np.abs(value))[:dim]
    found = np.zeros((past.n_items, dim), np.float32)
    found[:, : len(best)] = basis @ vector[:, best] * np.sqrt(np.abs(value[best]))
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.where(length > 1e-6, found / np.maximum(length, 1e-6), 0).astype(np.float32)

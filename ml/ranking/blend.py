"""The fixed mixture of what a network foretells and what the memory holds."""

import numpy as np
from numpy.typing import NDArray

from ml.ranking.sequences import Ranker, Sequences


class Blend:
    """
    ``(1 - m) softmax(network) + m memory``, both with sum 1.

    Args:
        network: its scores are logits.
        memory: its scores are weights, never negative.
        share: m, what the memory counts, 0 to 1.

    Source:
        MODEL 4.3.
    """

    def __init__(self, network: Ranker, memory: Ranker, *, share: float) -> None:
        self._network = network
        self._memory = memory
        self._share = np.float32(share)

    def fit(self, past: Sequences) -> None:
        """Both learn from the same past; raises what they raise."""
        self._network.fit(past)
        self._memory.fit(past)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) shares that add up to 1."""
        network = softmax(self._network.scores(prefixes))
        memory = self._memory.scores(prefixes)
        total = np.maximum(memory.sum(axis=1, keepdims=True), np.float32(1e-30))
        mixed: NDArray[np.float32] = (1 - self._share) * network + (self._share / total) * memory
        return mixed


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along each row, in a copy."""
    found: NDArray[np.float32] = logits - logits.max(axis=1, keepdims=True)
    np.exp(found, out=found)
    found /= found.sum(axis=1, keepdims=True)
    return found

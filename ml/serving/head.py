"""The last two layers of the model in NumPy, on stored vectors of a person and an item."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLOCK = 4096
"""Pairs per pass; their 64 hidden numbers stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Head:
    """
    logit = w · ReLU(p + q + W f) + b, with f standardised.

    The first layer of the head is linear, so its part on the person (p, with the bias) and its
    part on the item (q) are sums that can be stored: p and q are the embeddings in the graph.

    Shapes:
        mean, deviation: (8,); weight: (8, 64); output: (64,)
    """

    mean: Floats
    deviation: Floats
    weight: Floats
    output: Floats
    bias: float

    def logits(self, person: Floats, item: Floats, features: Floats) -> Floats:
        """
        Scores of pairs.

        Shapes:
            person:   (64,) or (P, 64)
            item:     (P, 64)
            features: (P, 8), not standardised
            returns:  (P,)
        """
        scale = (self.weight / self.deviation[:, None]).astype(np.float32)
        shift = (self.mean / self.deviation) @ self.weight
        out = np.empty(len(item), np.float32)
        for start in range(0, len(item), BLOCK):
            part = slice(start, start + BLOCK)
            hidden = features[part] @ scale  # (block, 64)
            hidden += item[part]
            hidden += (person if person.ndim == 1 else person[part]) - shift
            np.maximum(hidden, 0.0, out=hidden)
            out[part] = hidden @ self.output
        return out + np.float32(self.bias)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As named arrays, the inverse of ``of``."""
        return {
            "head_mean": self.mean,
            "head_deviation": self.deviation,
            "head_weight": self.weight,
            "head_output": self.output,
            "head_bias": np.array([self.bias], np.float32),
        }

    @classmethod
    def of(cls, arrays: dict[str, NDArray[Any]]) -> "Head":
        """From the arrays of a model folder."""
        return cls(
            mean=arrays["head_mean"],
            deviation=arrays["head_deviation"],
            weight=arrays["head_weight"],
            output=arrays["head_output"],
            bias=float(arrays["head_bias"][0]),
        )

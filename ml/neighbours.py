"""The nearest items of each item, as the graph shows them and reasons name them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Neighbours:
    """
    Positions and cosines, best first.

    Shapes, V items:
        item:   (V, k) int32, -1 where there is none
        cosine: (V, k) float32
    """

    item: NDArray[np.int32]
    cosine: NDArray[np.float32]

    def named(self, ids: Sequence[str]) -> list[tuple[str, str, float]]:
        """(item, its neighbour, cosine), item by item."""
        return [
            (ids[row], ids[other], cosine)
            for row, (others, values) in enumerate(
                zip(self.item.tolist(), self.cosine.tolist(), strict=True)
            )
            for other, cosine in zip(others, values, strict=True)
            if other >= 0
        ]


def neighbours(
    directions: NDArray[np.float32], rows: NDArray[Any], count: int, block: int = 2048
) -> Neighbours:
    """
    The nearest of ``rows`` to each of ``rows``, itself left out; other items have none.

    Shapes:
        directions: (V, dim), two halves of length 1
        rows:       (R,) positions
    """
    item = np.full((len(directions), count), -1, np.int32)
    cosine = np.zeros((len(directions), count), np.float32)
    vectors = torch.from_numpy(directions[rows]) / np.sqrt(2.0)
    found = min(count, len(rows) - 1)
    for start in range(0, len(rows) if found > 0 else 0, block):
        near = vectors[start : start + block] @ vectors.T  # (block, R)
        own = torch.arange(len(near))
        near[own, own + start] = -2.0
        best = torch.topk(near, found, dim=1)
        part = rows[start : start + block]
        item[part, :found] = rows[best.indices.numpy()]
        cosine[part, :found] = best.values.numpy()
    return Neighbours(item, cosine)

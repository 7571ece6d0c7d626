"""Comparing the right next item with a sample of all others."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.fusion.config import FusionConfig

ROWS = 512
"""Positions compared at once: their logits stay in the cache of the processor."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """
    Items to compare with, each once.

    Shapes:
        item:       (N,) int64, ascending
        stands_for: (N,) float32, log of how often it was expected over how often it came
    """

    item: NDArray[np.int64]
    stands_for: Tensor


class Negatives:
    """Draws items by popularity ** exponent and says how likely each was."""

    def __init__(self, counts: NDArray[np.int64], config: FusionConfig) -> None:
        weight = np.power(np.maximum(counts, 1e-9), config.exponent)
        self._share = weight / weight.sum()
        self._edges = np.cumsum(self._share)
        self._count = config.negatives

    def draw(self, rng: np.random.Generator) -> Drawn:
        """One sample, shared by the batch."""
        drawn = np.searchsorted(self._edges, rng.random(self._count) * self._edges[-1])
        item, times = np.unique(drawn, return_counts=True)
        stands_for = np.log(self._count * self._share[item] / times)
        return Drawn(item, torch.from_numpy(stands_for.astype(np.float32)))


def sampled_softmax(
    users: Tensor,
    right: Tensor,
    others: Tensor,
    target: NDArray[np.int64],
    drawn: Drawn,
    offset: Tensor | None = None,
) -> Tensor:
    """
    (P,) cross-entropy of the right item against the drawn ones.

    The drawn ones are corrected for how often they are drawn, the right one is not: it is there
    with certainty. A drawn item that is the right one is left out.

    Shapes:
        users, right: (P, dim); others (N, dim); target (P,) items
        offset: (P, N), added to the products with the others, or ``None``

    Source:
        Correcting the LogQ Correction, 2025 (arXiv:2507.09331).
    """
    place = np.searchsorted(drawn.item, target).clip(max=len(drawn.item) - 1)
    place = np.where(drawn.item[place] == target, place, -1)
    loss: Tensor = _Compare.apply(  # type: ignore[no-untyped-call]
        users, right, others, drawn.stands_for, place, offset
    )
    return loss


class _Compare(torch.autograd.Function):
    """
    The loss with its gradient written out, block by block.

    Torch's own graph would pass eight times over (P, N) numbers that do not fit the cache, which
    took three times as long.
    """

    @staticmethod
    def forward(
        ctx: Any,
        users: Tensor,
        right: Tensor,
        others: Tensor,
        stands_for: Tensor,
        place: NDArray[np.int64],
        offset: Tensor | None,
    ) -> Tensor:
        positive = (users * right).sum(1)
        loss = torch.empty_like(positive)
        # Of each block the gradients by its users and by the others, per unit of loss.
        chances = []
        for first in range(0, len(users), ROWS):
            part = slice(first, first + ROWS)
            logits = torch.addmm(-stands_for, users[part], others.T)  # (rows, N)
            if offset is not None:
                logits += offset[part]
            row = np.flatnonzero(place[part] >= 0)
            logits[row, place[part][row]] = -torch.inf
            top = torch.maximum(logits.amax(1), positive[part])
            total = (logits.sub_(top[:, None])).exp_().sum(1)
            total += (positive[part] - top).exp()
            loss[part] = total.log() + top - positive[part]
            chances.append(logits.div_(total[:, None]))
        ctx.save_for_backward(users, right, others, loss)
        ctx.chances, ctx.has_offset = chances, offset is not None
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        users, right, others, loss = ctx.saved_tensors
        wrong = ((-loss).exp() - 1)[:, None] * gradient[:, None]
        by_users, by_others = wrong * right, torch.zeros_like(others)
        for k, chance in enumerate(ctx.chances):
            part = slice(k * ROWS, (k + 1) * ROWS)
            chance.mul_(gradient[part, None])
            by_users[part].addmm_(chance, others)
            by_others.addmm_(chance.T, users[part])
        by_offset = torch.cat(ctx.chances) if ctx.has_offset else None
        return by_users, wrong * users, by_others, None, None, by_offset

"""What an item gains by being on promotion itself at the asked moment."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.fusion.plans import KINDS, Plans
from ml.fusion.questions import Asked
from ml.ranking.sequences import Sequences


class Bonus(nn.Module):
    """
    One learned number per kind of promotion, the same for all items and people.

    Shapes:
        worth: (K,) in logits, as ``KINDS``; starts at 0
    """

    def __init__(self, plans: Plans) -> None:
        """Start without any bonus."""
        super().__init__()
        self.plans = plans
        self.worth = nn.Parameter(torch.zeros(len(KINDS)))

    def of(
        self, moment: NDArray[np.int64], place: NDArray[Any] | None, item: NDArray[np.int64]
    ) -> Tensor:
        """Of each item, in shapes as ``Plans.at`` takes them."""
        found: Tensor = torch.from_numpy(self.plans.at(moment, place, item)) @ self.worth
        return found

    def join(
        self,
        vectors: tuple[Tensor, Tensor, Tensor],
        asked: Asked,
        right: NDArray[np.int64],
        others: NDArray[np.int64],
    ) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """
        The right items' bonus as one more coordinate, and the others' (P, N) by row.

        Args:
            vectors: of people (P, dim), of the right items (P, dim), of the others (N, dim).
            right, others: (P,) and (N,) those items.
        """
        if asked.moment is None:
            raise ValueError("a bonus needs moments that are asked about")
        user, own, other = vectors
        row, home = asked.row, asked.place
        worth = self.of(asked.moment[row], None if home is None else home[row], right)
        each = self.of(asked.moment[:, None], None if home is None else home[:, None], others)
        joined = (
            torch.cat([user, torch.ones(len(user), 1)], dim=1),
            torch.cat([own, worth[:, None]], dim=1),
            torch.cat([other, torch.zeros(len(other), 1)], dim=1),
        )
        return joined, each[row]

    def add_to(self, scores: NDArray[np.float32], prefixes: Sequences) -> None:
        """Raise (S, V) scores in place; nothing is promoted where no moment is asked about."""
        if prefixes.asked is None:
            return
        place = None if prefixes.place is None else prefixes.place[:, None]
        with torch.no_grad():
            worth = self.of(prefixes.asked[:, None], place, self.plans.item)
        scores[:, self.plans.item] += worth.numpy()

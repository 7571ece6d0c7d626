"""What receipts say beyond who bought what: where, at what discount, how many."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """
    Beside the N events of ``Interactions``, in their order.

    Shapes:
        store:    (N,) int32, any code from 0 on; the same codes as in promotions
        discount: (N,) float32, share of the full price that was taken off, 0 to 1
        quantity: (N,) float32, pieces
    """

    store: NDArray[np.int32]
    discount: NDArray[np.float32]
    quantity: NDArray[np.float32]

    @classmethod
    def plain(cls, n: int) -> "Receipts":
        """One shop, no discounts, single pieces."""
        return cls(
            store=np.zeros(n, np.int32),
            discount=np.zeros(n, np.float32),
            quantity=np.ones(n, np.float32),
        )

    def take(self, rows: Any) -> "Receipts":
        """Some of the events, by mask, slice or positions."""
        return Receipts(
            store=self.store[rows], discount=self.discount[rows], quantity=self.quantity[rows]
        )

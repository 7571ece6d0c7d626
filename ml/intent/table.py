"""Questions with their columns: one row per (person, item) at a moment."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """
    P pairs with n columns each.

    Shapes:
        cutoff: (P,) int64, milliseconds UTC (or any number that grows with time)
        user, item: (P,) int32
        label:  (P,) bool
        weight: (P,) float32, how many pairs of the full pool this one stands for
        values: (P, n) float32, columns as ``names``; NaN where undefined
    """

    cutoff: NDArray[np.int64]
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    label: NDArray[np.bool_]
    weight: NDArray[np.float32]
    values: NDArray[np.float32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> "Table":
        """Some of the pairs, by mask or positions."""
        parts = ("cutoff", "user", "item", "label", "weight", "values")
        return replace(self, **{name: getattr(self, name)[rows] for name in parts})

    def only(self, names: Collection[str]) -> "Table":
        """The named columns alone, in the table's own order."""
        kept = [k for k, name in enumerate(self.names) if name in names]
        return replace(self, values=self.values[:, kept], names=tuple(self.names[k] for k in kept))

    def column(self, name: str) -> NDArray[np.float32]:
        """(P,) one column."""
        return self.values[:, self.names.index(name)]

    def beside(self, names: Sequence[str], values: NDArray[Any]) -> "Table":
        """With further columns (P, k) to the right."""
        joined = np.concatenate([self.values, values.astype(np.float32)], axis=1)
        return replace(self, values=joined, names=(*self.names, *names))

    @classmethod
    def join(cls, parts: Sequence["Table"]) -> "Table":
        """One table out of several with the same columns, in the given order."""
        if len({part.names for part in parts}) != 1:
            raise ValueError("tables with different columns cannot be joined")
        rows = ("cutoff", "user", "item", "label", "weight", "values")
        return cls(
            names=parts[0].names,
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in rows},
        )


class Classifier(Protocol):
    """
    Learns which pairs end in a purchase; every one passes ``tests/contract/test_classifiers.py``.

    Sampled negatives count by their weight, so what comes out is at the natural rate and is not
    corrected again. Randomness comes in through a ``seed`` of the constructor.
    """

    def fit(self, table: Table, *, validation: Table | None = None) -> None:
        """Learn; ``validation`` is for early stopping alone. Raises ``NotEnoughData``."""

    def logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) log-odds; always finite."""

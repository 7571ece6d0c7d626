"""Nearest items among very many: all are looked at by a short code, the best of those exactly."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ml.errors import ModelBroken
from ml.serving.short import Scored

INDEX, ROWS = "codes.faiss", "codes.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """
    Item vectors as codes of four bits for every two numbers.

    Shapes:
        rows: (N,) positions in the catalogue, in the order of the index
    Attributes:
        index: of faiss; threads may ask it side by side.
        deep: codes that are looked at exactly, so many that nearly nothing is missed.
    """

    index: Any
    rows: NDArray[np.int64]
    deep: int

    def near(self, vector: NDArray[np.float32], vectors: NDArray[np.float32]) -> Scored:
        """
        Products of a vector with those of all items that are nearest by their codes.

        Args:
            vectors: (V, dim), of the whole catalogue.
        """
        _, places = self.index.search(vector[None], self.deep)
        rows = self.rows[places[0][places[0] >= 0]]
        return Scored(rows, (vectors[rows] @ vector).astype(np.float64))

    def save(self, folder: Path) -> None:
        """Write what ``load`` reads."""
        import faiss

        faiss.write_index(self.index, str(folder / INDEX))
        np.savez(folder / ROWS, allow_pickle=False, rows=self.rows, deep=np.array(self.deep))

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """
        What ``save`` wrote; ``None`` where the catalogue needed none.

        Raises:
            ModelBroken: a file is damaged.
        """
        if not (folder / ROWS).is_file():
            return None
        import faiss  # a third of a second that a small shop need not wait

        try:
            with np.load(folder / ROWS, allow_pickle=False) as stored:
                rows, deep = stored["rows"], int(stored["deep"])
            index = faiss.read_index(str(folder / INDEX))
            if index.ntotal != len(rows):
                raise ValueError(f"{index.ntotal} codes for {len(rows)} items")
        except (OSError, ValueError, KeyError, RuntimeError) as problem:
            raise ModelBroken("the codes of the catalogue cannot be read") from problem
        return cls(index, rows, deep)

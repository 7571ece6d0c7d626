"""Nearest items among very many: cells of like items, of which only the nearest are looked into."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ml.errors import ModelBroken
from ml.serving.short import Scored

VECTORS, CELLS = "cells.npy", "cells.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """
    Item vectors, cell by cell.

    Shapes, N items in C cells:
        vectors: (N, dim) float32, in the order of ``rows``; mapped from its file, so that all
            processes of a machine share it
        rows:    (N,) positions in the catalogue
        centres: (C, dim) float32; start: (C + 1,) where each cell begins
    Attributes:
        probes: cells that are looked into, so many that nearly nothing is missed.
    """

    vectors: NDArray[np.float32]
    rows: NDArray[np.int64]
    centres: NDArray[np.float32]
    start: NDArray[np.int64]
    probes: int

    def near(self, vector: NDArray[np.float32]) -> Scored:
        """Products of the vector with the items of the nearest cells."""
        fit = self.centres @ vector
        probed = np.sort(np.argpartition(-fit, min(self.probes, len(fit)) - 1)[: self.probes])
        spans = [slice(self.start[cell], self.start[cell + 1]) for cell in probed.tolist()]
        values = [self.vectors[span] @ vector for span in spans]
        rows = [self.rows[span] for span in spans]
        return Scored(np.concatenate(rows), np.concatenate(values).astype(np.float64))

    def save(self, folder: Path) -> None:
        """Write what ``load`` reads."""
        np.save(folder / VECTORS, self.vectors, allow_pickle=False)
        np.savez(
            folder / CELLS,
            allow_pickle=False,
            rows=self.rows,
            centres=self.centres,
            start=self.start,
            probes=np.array(self.probes),
        )

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """
        What ``save`` wrote; ``None`` where the catalogue needed none.

        Raises:
            ModelBroken: a file is damaged.
        """
        if not (folder / CELLS).is_file():
            return None
        try:
            with np.load(folder / CELLS, allow_pickle=False) as stored:
                arrays: dict[str, NDArray[Any]] = {name: stored[name] for name in stored.files}
            vectors = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
            probes = int(arrays.pop("probes"))
            return cls(vectors=vectors, probes=probes, **arrays)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as problem:
            raise ModelBroken(f"the cells of the catalogue cannot be read: {problem}") from problem

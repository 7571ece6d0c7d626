"""The folder of models and pulled arrays: who was erased is in no file of it."""

from collections.abc import Collection
from pathlib import Path

from graph import tombstones
from graph.client import Graph
from ml.forgetting import forget
from workers import columns

CACHE = Path(".cache") / "edges.npz"
"""Of pulled arrays, below the model store."""


class ModelFiles:
    """Takes erased people out of every model's files and out of the pulled arrays."""

    def __init__(self, store: Path, graph: Graph) -> None:
        self._store = store
        self._graph = graph

    def forget(self, user_ids: Collection[str]) -> dict[str, int]:
        """Drop their rows; says how many, by where."""
        folders = self._store.glob("m-*/") if self._store.is_dir() else ()
        return {
            "models.rows": sum(forget(folder, user_ids) for folder in sorted(folders)),
            "training.events": columns.forget(self._graph, self._store / CACHE),
        }

    def sweep(self) -> int:
        """
        Drop everybody who was ever erased.

        Returns:
            The number of erasures that this knows of: where it has risen since, sweep again.
        """
        number = self._graph.write(tombstones.number)
        if number:
            self.forget(self._graph.read(tombstones.every))
        return number

"""Trees and small networks together: the mean of what they say."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ml.errors import ModelBroken, NotEnoughData
from ml.intent.network import Network
from ml.intent.table import Table
from ml.intent.trees import Trees

FILE = "stack.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """
    ``(1 - w) * mean logit of the trees + w * mean logit of the networks``.

    Attributes:
        names: the columns it was trained on; a table may have more, in any order.
        share: w, the networks' part; 0 without networks.
    """

    names: tuple[str, ...]
    trees: Sequence[Trees]
    networks: Sequence[Network]
    share: float

    def logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) log-odds; raises ``NotEnoughData`` where a column is missing."""
        own = self._own(table)
        found = (1 - self.share) * self.tree_logits(own)
        if self.networks and self.share > 0:
            found = found + self.share * self.network_logits(own)
        return found

    def tree_logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) mean of the trees alone."""
        own = self._own(table)
        found: NDArray[np.float64] = np.mean([one.logits(own) for one in self.trees], axis=0)
        return found

    def network_logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) mean of the networks alone."""
        own = self._own(table)
        found: NDArray[np.float64] = np.mean([one.logits(own) for one in self.networks], axis=0)
        return found

    def save(self, folder: Path) -> None:
        """Write what ``load`` reads: text, JSON and npz."""
        folder.mkdir(parents=True, exist_ok=True)
        for k, tree in enumerate(self.trees):
            tree.save(folder / f"trees-{k}")
        for k, network in enumerate(self.networks):
            network.save(folder / f"network-{k}.npz")
        facts = {
            "names": list(self.names),
            "trees": len(self.trees),
            "networks": len(self.networks),
            "share": self.share,
        }
        (folder / FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote, without torch; raises ``ModelBroken``."""
        try:
            facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(
                names=tuple(facts["names"]),
                trees=[Trees.load(folder / f"trees-{k}") for k in range(int(facts["trees"]))],
                networks=[
                    Network.load(folder / f"network-{k}.npz") for k in range(int(facts["networks"]))
                ],
                share=float(facts["share"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise ModelBroken(f"the stack cannot be read: {problem}") from problem

    def _own(self, table: Table) -> Table:
        if table.names == self.names:
            return table
        missing = set(self.names) - set(table.names)
        if missing:
            raise NotEnoughData(f"columns are missing: {', '.join(sorted(missing))}")
        own = table.only(set(self.names))
        order = [own.names.index(name) for name in self.names]
        if order != sorted(order):
            own = Table(
                cutoff=own.cutoff,
                user=own.user,
                item=own.item,
                label=own.label,
                weight=own.weight,
                values=own.values[:, order],
                names=self.names,
            )
        return own

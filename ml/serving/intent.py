"""The champion of a run, where it is not the paper's model: counters in, chances out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.calibration import Platt
from ml.errors import ModelBroken
from ml.features.pairs import Window
from ml.intent.counters import COUNTERS, pair_columns
from ml.intent.item_side import ItemSide
from ml.intent.stack import Stack
from ml.intent.table import Table
from ml.intent.trees import Trees

FOLDER = "intent"
SIDE = "items.npz"

STORED: dict[str, type[Trees] | type[Stack]] = {"boosted": Trees, "stack": Stack}
"""Champions that answer from a folder, by name."""


@dataclass(frozen=True, slots=True)
class IntentScorer:
    """
    Says for pairs that a person has touched how likely a purchase is within the horizon.

    Attributes:
        item_ids: the items in the order of training.
        trained_row: (V,) where each item of today's catalogue stands there; -1 for later ones.
    """

    model: Trees | Stack
    side: ItemSide
    calibration: Platt
    item_ids: tuple[str, ...]
    trained_row: NDArray[np.int32]

    @classmethod
    def of(cls, folder: Path, champion: dict[str, Any] | None) -> "IntentScorer | None":
        """
        The champion of a model folder; ``None`` where the paper's model answers itself.

        Args:
            champion: what the manifest says of it: name, slope and intercept.

        Raises:
            ModelBroken: no such kind of champion, or a file that cannot be read.
        """
        if champion is None:
            return None
        if champion["name"] not in STORED:
            raise ModelBroken(f"no champion is called {champion['name']}")
        place = folder / FOLDER
        try:
            with np.load(place / SIDE, allow_pickle=False) as arrays:
                side = ItemSide.from_arrays(arrays)
                item_ids, row = tuple(arrays["item_ids"].tolist()), arrays["trained_row"]
            model = STORED[champion["name"]].load(place)
        except (OSError, ValueError, KeyError) as problem:
            raise ModelBroken(f"the champion cannot be read: {problem}") from problem
        line = Platt(champion["slope"], champion["intercept"])
        return cls(model, side, line, item_ids, row)

    def probability(
        self,
        window: Window,
        rows: NDArray[Any],
        now_ms: int,
        features: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """
        Chances of the items at ``rows`` for the one person whose events ``window`` holds.

        Args:
            features: of those pairs at that moment, by the counters of ``side``.

        Shapes:
            rows: (P,) positions in the catalogue; features: (P, 8); returns (P,)
        """
        person = np.zeros(len(rows), np.int32)
        item = rows.astype(np.int32)
        table = Table(
            cutoff=np.full(len(rows), now_ms, np.int64),
            user=person,
            item=self.trained_row[item],
            label=np.zeros(len(rows), bool),
            weight=np.ones(len(rows), np.float32),
            values=pair_columns(window, self.side, person, item, moment=now_ms, features=features),
            names=COUNTERS,
        )
        return self.calibration.apply(self.model.logits(table))

"""The blend that answers people without a stored vector, where the model folder has one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.cold.blend import ColdBlend
from ml.errors import ModelBroken
from ml.ranking.sequences import Sequences
from ml.serving.history import KnownEvents
from ml.serving.session import Scores, as_sequence

FILE = "strangers.npz"

BLEND, SESSION = "blend", "session"
"""Who answers, as the manifest's ``strangers`` says it."""


@dataclass(frozen=True, slots=True)
class Strangers:
    """
    Scores the catalogue for people of whom a few events are known, or none.

    Attributes:
        start: (V,) float64, what somebody without any event is answered.
    """

    blend: ColdBlend
    start: Scores

    @classmethod
    def of(cls, folder: Path, manifest: dict[str, Any], n_items: int) -> "Strangers | None":
        """
        The blend of a model folder; ``None`` where the cosine answers, as in older folders.

        Raises:
            ModelBroken: the file cannot be read, or it is about another catalogue.
        """
        if manifest.get("strangers", SESSION) == SESSION:
            return None
        if manifest["strangers"] != BLEND:
            raise ModelBroken(f"nobody called {manifest['strangers']} answers strangers")
        blend = ColdBlend.load(folder / FILE)
        try:
            start = blend.scores(_nobody(n_items))[0].astype(np.float64)
        except (ValueError, IndexError) as problem:
            raise ModelBroken(f"{FILE} is not about {n_items} items") from problem
        if not np.isfinite(start).all():
            raise ModelBroken(f"{FILE} holds values that are not finite")
        return cls(blend, start)

    def scores(self, events: KnownEvents) -> Scores:
        """(V,) log-likeness that each item comes next, up to a constant."""
        if not len(events.item):
            return self.start
        asked = as_sequence(events, len(self.start))
        found: Scores = self.blend.scores(asked)[0].astype(np.float64)
        return found


def _nobody(n_items: int) -> Sequences:
    """One row without events."""
    none = np.zeros(0, np.int64)
    return as_sequence(KnownEvents(none, none.astype(np.int8), none, none.astype("f4")), n_items)

"""Rankers that several models of a study have in common, learned once and asked once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.ranking.sequences import Ranker, Sequences


class Shared:
    """
    Makes rankers of one kind, one for each past that it is fitted on.

    Views of it (``view``) are rankers; those fitted on the same past are the same model, and the
    last answer is kept, so that a blend and a re-ranker do not compute it twice.
    """

    def __init__(self, make: Callable[[], Ranker]) -> None:
        self._make = make
        self._known: dict[tuple[int, int], _Remembered] = {}

    def view(self, *, part: "Shared | None" = None, whole: int = 0) -> "View":
        """
        A ranker of its own that learns through this.

        Args:
            part: learns in place of this from a past of fewer than ``whole`` sequences.
        """
        return View(self, part, whole)

    def fitted(self, past: Sequences) -> "_Remembered":
        """The model for this past; pasts of a study differ in size."""
        key = (len(past), len(past.item))
        if key not in self._known:
            model = self._make()
            model.fit(past)
            self._known[key] = _Remembered(model)
        return self._known[key]

    def forget(self) -> None:
        """Free the models."""
        self._known.clear()


class View:
    """A ranker whose model others share."""

    def __init__(self, shared: Shared, part: Shared | None = None, whole: int = 0) -> None:
        self._shared = shared
        self._part = part
        self._whole = whole
        self._model: _Remembered | None = None

    def fit(self, past: Sequences) -> None:
        """Take the model for this past; raises what learning raises."""
        shared = self._shared
        if self._part is not None and len(past) < self._whole:
            shared = self._part
        self._model = shared.fitted(past)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) of the shared model; not to be written into."""
        if self._model is None:
            raise ValueError("a ranker is fitted before it is asked")
        return self._model.scores(prefixes)

    def __getattr__(self, name: str) -> Any:
        """Whatever else the model can do, such as ``item_vectors``."""
        if name.startswith("_") or self._model is None:
            raise AttributeError(name)
        return getattr(self._model.model, name)


class _Remembered:
    def __init__(self, model: Ranker) -> None:
        self.model = model
        self._asked: tuple[bytes, bytes] | None = None
        self._answer = np.zeros((0, 0), np.float32)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        asked = (prefixes.start.tobytes(), prefixes.item.tobytes())
        if asked != self._asked:
            self._answer = self.model.scores(prefixes)
            self._asked = asked
        return self._answer

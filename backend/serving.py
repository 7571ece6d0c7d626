"""What the web floor needs of a live model, stated without importing one."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ModelVersion
from graph.domain.models import Slot
from graph.events import PastEvent


@dataclass(frozen=True, slots=True)
class Columns:
    """What a person did, one column per fact; the form in which a model reads it."""

    item_ids: list[str]
    codes: list[int]
    ts: list[int]
    prices: list[float | None]

    @classmethod
    def of(cls, past: Iterable[PastEvent]) -> "Columns":
        """From events; those that say nothing about an item are left out."""
        rows = [
            (event.item_id, ITEM_BEHAVIOURS[event.type].code, event.ts, event.price_minor)
            for event in past
            if event.type in ITEM_BEHAVIOURS
        ]
        return cls(
            item_ids=[str(row[0]) for row in rows],
            codes=[row[1] for row in rows],
            ts=[row[2] for row in rows],
            prices=[row[3] for row in rows],
        )


class ServingModel(Protocol):
    """A trained model that answers from memory; arrays pass through the web floor unopened."""

    @property
    def version(self) -> str:
        """Which model it is."""
        ...

    @property
    def as_of_ms(self) -> int:
        """End of the behaviour it has seen, milliseconds UTC."""
        ...

    @property
    def item_ids(self) -> Sequence[str]:
        """The items it knows."""
        ...

    def score(
        self,
        user_vector: Any,
        history: Any,
        *,
        now_ms: int,
        items: Sequence[str] | None = None,
        among: Any = None,
        is_short: bool = False,
    ) -> Any:
        """
        Calibrated chance that the person buys each item, or each of ``items``.

        Args:
            among: the items that come into question, as ``only`` makes them.
            is_short: only of those that are worth a look for anybody, or near what they touched.
        """
        ...

    def session(self, history: Any, now_ms: int) -> Any:
        """A score for each item from the last steps of somebody without a stored vector."""
        ...

    def popular(self, category: str | None = None) -> Any:
        """A score for each item from what everybody does."""
        ...

    def newcomers(self, category: str | None = None) -> Any:
        """A score for each item for somebody of whom nothing is known."""
        ...

    def similar(self, item_id: str, limit: int) -> list[tuple[str, float]]:
        """The nearest items, best first; empty for an item it does not know."""
        ...

    def links(self, item_ids: Sequence[str], others: Sequence[str]) -> list[tuple[str, str, float]]:
        """Which of the others are next to which of the items in the graph, with their cosines."""
        ...

    def only(self, item_ids: Collection[str]) -> Any:
        """These items, in the form that ``top`` takes; those it does not know are left out."""
        ...

    def top(
        self, scores: Any, limit: int, exclude: Collection[str] = (), among: Any = None
    ) -> list[tuple[str, float]]:
        """The best items (of ``among``) with finite scores: score descending, then item id."""
        ...


_MOST_MASKS = 50


class ModelUnusable(Exception):
    """The files of a model are missing or broken."""


LoadModel = Callable[[ModelVersion], ServingModel]
"""Loads a version from where models are kept; raises ``ModelUnusable``."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    A model in memory, the items it knows, and the slot of its vectors in the graph.

    Attributes:
        is_stale: it was live once, and answers since the live one cannot be loaded.
    """

    model: ServingModel
    version: ModelVersion
    slot: Slot
    known_items: frozenset[str]
    is_stale: bool = False
    _masks: dict[frozenset[str], Any] = field(default_factory=dict, compare=False)

    def mask(self, item_ids: frozenset[str]) -> Any:
        """These items as the model wants them; the same few sets are asked for again and again."""
        found = self._masks.get(item_ids)
        if found is None:
            found = self.model.only(item_ids)
            if len(self._masks) >= _MOST_MASKS:
                self._masks.clear()
            self._masks[item_ids] = found
        return found

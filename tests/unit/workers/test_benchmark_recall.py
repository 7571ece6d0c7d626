"""How much the quick ways of a model hold of its exact answers, in figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.serving.short import Scored
from workers.benchmarks.recall import past, recall_figures

ITEMS = 40
VIEW = 2


@dataclass
class Shop:
    """A model whose quick ways lose what is told, of items that score by their number."""

    codes: Any = None
    lost: frozenset[int] = frozenset()
    as_of_ms: int = 0
    window_days: int = 30
    item_ids: tuple[str, ...] = tuple(f"i{row}" for row in range(ITEMS))
    is_listed: NDArray[np.bool_] = field(default_factory=lambda: np.ones(ITEMS, bool))

    def similar(self, item_id: str, limit: int) -> list[tuple[str, float]]:
        """The same for every item."""
        lost = self.lost if self.codes is not None else frozenset[int]()
        return [(f"i{row}", -float(row)) for row in range(ITEMS) if row not in lost][:limit]

    def score(self, vector: Any, history: Any, *, now_ms: int, is_short: bool) -> Any:
        """The number of the item, the first the best."""
        scores = -np.arange(ITEMS, dtype=float)
        rows = np.array([row for row in range(ITEMS) if row not in self.lost])
        return Scored(rows, scores[rows]) if is_short and self.lost else scores

    def top(self, scores: Any, limit: int) -> list[tuple[str, float]]:
        """As stored: they are in order."""
        values = scores.values if isinstance(scores, Scored) else scores
        return [("", value) for value in values.tolist()][:limit]


def log(*steps: tuple[int, int]) -> Interactions:
    """One person's views of (item, moment)."""
    columns = np.array(steps)
    return Interactions.of(
        user=np.zeros(len(steps), int),
        item=columns[:, 0],
        code=np.full(len(steps), VIEW),
        ts=columns[:, 1],
        user_ids=["a"],
        catalogue=Catalogue.of([f"i{row}" for row in range(ITEMS)]),
    )


def shares(model: Any, stored: Sequence[list[float] | None]) -> list[float]:
    """The values of the figures."""
    return [one.value for one in recall_figures(model, log((3, 5)), stored)]


def test_a_model_that_looks_at_everything_holds_everything() -> None:
    assert shares(Shop(), [[0.1]]) == [1.0, 1.0]


@pytest.mark.parametrize(("lost", "held"), [({0}, 0.95), ({0, 1, 2, 3, 4}, 0.75), ({30}, 1.0)])
def test_each_lost_place_of_the_exact_list_counts(lost: set[int], held: float) -> None:
    """And one that no exact list has does not."""
    model = Shop(codes=SimpleNamespace(deep=100), lost=frozenset(lost))
    assert shares(model, [[0.1], [0.2]]) == pytest.approx([held, held])


def test_people_without_a_vector_are_left_out() -> None:
    assert shares(Shop(), [None]) == [1.0]


def test_a_past_ends_with_its_last_step_and_reaches_back_the_window_of_the_model() -> None:
    told = log((1, 0), (2, DAY_MS), (3, 3 * DAY_MS), (4, 9 * DAY_MS))
    found = past(told, np.array([0, 1, 2]), 2, 7)
    assert (found.item_ids, found.ts) == (["i3"], [3 * DAY_MS + 7])
    assert past(told, np.array([], int), 2, 7).item_ids == []

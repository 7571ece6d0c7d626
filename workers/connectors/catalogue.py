"""What files say about items, on its way into the graph."""

import time
from collections.abc import Callable, Sequence

from graph import items
from graph.client import Graph
from graph.domain.catalogue import Item
from workers.intake.changes import CatalogueChanges

REMEMBERED = 200_000
"""Items whose last facts are kept, so that a log that repeats them writes them once."""


class ToldItems:
    """Stores facts about items, each once, as long as it remembers them."""

    def __init__(
        self,
        graph: Graph,
        changes: CatalogueChanges,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._graph, self._changes, self._clock = graph, changes, clock
        self._known: dict[str, int] = {}

    def __call__(self, told: Sequence[Item]) -> int:
        """Store what is new; gives how many items that were."""
        fresh = [item for item in told if self._is_new(item)]
        if not fresh:
            return 0
        names = sorted({item.item_id for item in fresh})
        self._changes.begin(names)
        self._graph.write(items.upsert, fresh, now_ms=self._clock())
        self._changes.done(names)
        return len(names)

    def _is_new(self, item: Item) -> bool:
        facts = hash((
            item.title, item.categories, item.brand, item.price_minor, item.currency,
            item.is_hidden, item.seller_id,
        ))  # fmt: skip
        if self._known.get(item.item_id) == facts:
            return False
        if len(self._known) >= REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[item.item_id] = facts
        return True

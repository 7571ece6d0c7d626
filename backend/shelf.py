"""Which items may be shown: by the graph's word, and by the last word known while it is away."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from neo4j import ManagedTransaction

from backend.breaker import GraphPort
from graph import items, recommendations
from graph.domain.ids import ItemId, UserId
from graph.recommendations import Reason

_CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What the shelf says about a list.

    Attributes:
        allowed: the first items of it that may be shown now, in order.
        reasons: why the person gets them, by their own edges.
    """

    allowed: list[ItemId]
    reasons: dict[ItemId, Reason]


class Shelf:
    """Remembers what must not be shown, for the moments when the graph cannot be asked."""

    def __init__(self, graph: GraphPort, *, now_ms: Callable[[], int]) -> None:
        self._graph = graph
        self._now_ms = now_ms
        self._hidden: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    @property
    def hidden(self) -> frozenset[str]:
        """Items known not to be for show."""
        return self._hidden

    def learn(self, item_ids: Sequence[str]) -> None:
        """
        Ask about many items and remember those that are not for show.

        Raises:
            GraphError: the graph could not say.
        """
        found: set[str] = set()
        for start in range(0, len(item_ids), _CHUNK):
            part = [ItemId(item_id) for item_id in item_ids[start : start + _CHUNK]]
            allowed = self._graph.read(items.servable, part, now_ms=self._now_ms())
            found.update(set(part) - allowed)
        with self._lock:
            self._hidden = frozenset(found)

    def look(
        self,
        item_ids: Sequence[ItemId],
        *,
        limit: int,
        user_id: UserId | None = None,
        category: str | None = None,
    ) -> Seen:
        """
        The first ``limit`` of a list that may be shown, with the person's reasons.

        Raises:
            GraphUnavailable: the graph cannot be asked; ``from_memory`` can.
        """
        if not item_ids:
            return Seen([], {})
        seen = self._graph.read(
            look,
            item_ids,
            limit=limit,
            user_id=user_id,
            category=category,
            now_ms=self._now_ms(),
        )
        self.note(item_ids, allowed=seen[0])
        return Seen(seen[1], seen[2])

    def from_memory(self, item_ids: Sequence[ItemId], *, limit: int) -> Seen:
        """The same by the last word known, without reasons."""
        return Seen([item for item in item_ids if item not in self._hidden][:limit], {})

    def note(self, item_ids: Iterable[str], *, allowed: Iterable[str]) -> None:
        """Remember what the graph said about some items."""
        asked, shown = set(item_ids), set(allowed)
        newly_hidden, newly_shown = asked - shown, shown & self._hidden
        if newly_hidden - self._hidden or newly_shown:
            with self._lock:
                self._hidden = (self._hidden | newly_hidden) - newly_shown


def look(
    tx: ManagedTransaction,
    item_ids: Sequence[ItemId],
    *,
    limit: int,
    user_id: UserId | None,
    category: str | None,
    now_ms: int,
) -> tuple[set[ItemId], list[ItemId], dict[ItemId, Reason]]:
    """All of the items that may be shown, the first ``limit`` of them, and their reasons."""
    allowed = items.servable(tx, item_ids, now_ms=now_ms)
    fitting = allowed if category is None else _filed_under(tx, allowed, category)
    first = [item_id for item_id in item_ids if item_id in fitting][:limit]
    if user_id is None or not first:
        return allowed, first, {}
    return allowed, first, recommendations.reasons(tx, user_id, first)


def _filed_under(tx: ManagedTransaction, item_ids: set[ItemId], category: str) -> set[ItemId]:
    """Those of the items that the shop files under a category now, or below it."""
    found = items.details(tx, sorted(item_ids))
    below = (f"{category}/", f"{category} > ")
    return {
        item_id
        for item_id, item in found.items()
        if any(path == category or path.startswith(below) for path in item.categories or ())
    }

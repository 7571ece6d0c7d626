"""What is popular by the graph's own count, for shops that have no model yet."""

import threading
from collections.abc import Callable, Sequence

from backend.breaker import GraphPort
from graph import items
from graph.errors import GraphUnavailable

_KEPT_MS = 5_000
_DEPTH = 500
_MOST_CATEGORIES = 100

Scored = list[tuple[str, float]]


class PopularCount:
    """Counts the graph's recent events, and keeps the answer a few seconds: it reads many edges."""

    def __init__(self, graph: GraphPort, *, now_ms: Callable[[], int], window_ms: int) -> None:
        self._graph = graph
        self._now_ms = now_ms
        self._window_ms = window_ms
        self._kept: dict[str | None, tuple[int, Scored]] = {}
        self._lock = threading.Lock()

    def top(self, category: str | None) -> tuple[Scored, bool]:
        """The most popular items, best first, and whether the graph was away."""
        now = self._now_ms()
        kept = self._kept.get(category)
        if kept is not None and now - kept[0] < _KEPT_MS:
            return kept[1], False
        try:
            counted = self._count(category, now)
        except GraphUnavailable:
            return (kept[1] if kept else []), True
        if not counted:  # a shop that has just opened does not wait for its first list
            return [], False
        with self._lock:
            if len(self._kept) >= _MOST_CATEGORIES:
                self._kept.clear()
            self._kept[category] = (now, counted)
        return counted, False

    def _count(self, category: str | None, now: int) -> Scored:
        # Imported history may be years old: where the window is empty, all of the past counts.
        for since in (now - self._window_ms, 0):
            counted: Sequence[tuple[str, float]] = self._graph.read(
                items.popular, since_ms=since, limit=_DEPTH, category=category
            )
            if counted:
                return sorted(counted, key=lambda pair: (-pair[1], pair[0]))
        return []

"""What is popular by the graph's own count, for shops that have no model yet."""

import threading
from collections.abc import Callable, Hashable, Sequence

from backend.breaker import GraphPort
from graph import items, trends
from graph.errors import GraphUnavailable

_KEPT_MS = 5_000
_TIMES_AS_LONG = 20
"""A count is kept so many times as long as it took: counting is a twentieth of the work at most."""

_DEPTH = 500
_MOST_CATEGORIES = 100

Scored = list[tuple[str, float]]


class PopularCount:
    """
    Counts the graph's recent events, one count at a time, since it reads many edges.

    A count is kept a few seconds, and longer where it took long; whoever asks while it is made anew
    is told the one before.
    """

    def __init__(self, graph: GraphPort, *, now_ms: Callable[[], int], window_ms: int) -> None:
        self._graph = graph
        self._now_ms = now_ms
        self._window_ms = window_ms
        self._kept: dict[Hashable, tuple[int, Scored]] = {}  # until when, and what
        self._counting = threading.Lock()

    def top(self, category: str | None, *, window_ms: int | None = None) -> tuple[Scored, bool]:
        """
        The most popular items, best first, and whether the graph was away.

        Args:
            window_ms: count this far back and no further; ``None``: as far as configured, and all
                of the past where nothing happened since.
        """
        now = self._now_ms()
        windows = (now - self._window_ms, 0) if window_ms is None else (now - window_ms,)
        return self._found(("popular", category, window_ms), lambda: self._count(category, windows))

    def trending(
        self, category: str | None, *, window_ms: int, old_ms: int | None
    ) -> tuple[Scored, bool]:
        """
        The items that have risen most, best first, and whether the graph was away.

        Args:
            old_ms: the time of the newest imported history: the window ends there where nothing
                has happened since.
        """
        ends = [self._now_ms(), *([] if old_ms is None else [old_ms + 1])]
        return self._found(
            ("trending", category, window_ms),
            lambda: self._risen(category, window_ms, ends),
        )

    def _found(self, key: Hashable, count: Callable[[], Scored]) -> tuple[Scored, bool]:
        kept = self._kept.get(key)
        if kept is not None and self._now_ms() < kept[0]:
            return kept[1], False
        if kept is None:
            self._counting.acquire()
        elif not self._counting.acquire(blocking=False):
            return kept[1], False
        try:
            return self._counted(key, count)
        finally:
            self._counting.release()

    def _counted(self, key: Hashable, count: Callable[[], Scored]) -> tuple[Scored, bool]:
        began, kept = self._now_ms(), self._kept.get(key)
        if kept is not None and began < kept[0]:
            return kept[1], False  # by whom this one waited for
        try:
            counted = count()
        except GraphUnavailable:
            return (kept[1] if kept else []), True
        if not counted:  # a shop that has just opened does not wait for its first list
            return [], False
        ended = self._now_ms()
        if len(self._kept) >= _MOST_CATEGORIES:
            self._kept.clear()
        self._kept[key] = ended + max(_KEPT_MS, _TIMES_AS_LONG * (ended - began)), counted
        return counted, False

    def _risen(self, category: str | None, window_ms: int, ends: Sequence[int]) -> Scored:
        for until in ends:
            risen: Sequence[tuple[str, float]] = self._graph.read(
                trends.trending,
                until_ms=until,
                window_ms=window_ms,
                limit=_DEPTH,
                category=category,
            )
            if risen:
                return list(risen)
        return []

    def _count(self, category: str | None, windows: Sequence[int]) -> Scored:
        # Imported history may be years old: where the window is empty, all of the past counts.
        for since in windows:
            counted: Sequence[tuple[str, float]] = self._graph.read(
                items.popular, since_ms=since, limit=_DEPTH, category=category
            )
            if counted:
                return sorted(counted, key=lambda pair: (-pair[1], pair[0]))
        return []

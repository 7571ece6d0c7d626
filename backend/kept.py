"""Answers that are still true: nothing that they were made of has changed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from backend.serving import Loaded
from workers.intake.changes import Stamp

T = TypeVar("T")

_MOST = 20_000
_LONGEST_MS = 60_000


class Kept(Generic[T]):
    """
    A bounded memory of answers by what was asked and by everything that they depend on.

    An answer is also forgotten after a minute, and when an item comes or goes by the clock.
    """

    def __init__(self, *, now_ms: Callable[[], int], most: int = _MOST) -> None:
        self._now_ms = now_ms
        self._most = most
        self._held: OrderedDict[Hashable, tuple[int, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        """The answer, if it is held and still true."""
        if key is None:
            return None
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            until, answer = found
            if until <= self._now_ms():
                del self._held[key]
                return None
            self._held.move_to_end(key)
            return answer

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()

    def put(self, key: Hashable, answer: T, *, until_ms: int) -> None:
        """Hold an answer; whoever was asked for longest ago makes room."""
        if key is None:
            return
        now = self._now_ms()
        with self._lock:
            self._held[key] = min(until_ms, now + _LONGEST_MS), answer
            self._held.move_to_end(key)
            if len(self._held) > self._most:
                self._held.popitem(last=False)
            while self._held and next(iter(self._held.values()))[0] <= now:
                self._held.popitem(last=False)


def key_of(
    question: Hashable, person: Hashable, loaded: Loaded | None, stamp: Stamp | None
) -> Hashable:
    """
    All that an answer depends on; ``None`` where that cannot be said.

    Args:
        question: what was asked.
        person: who it is for and how much they have done; the same for everybody who is unknown.
    """
    if stamp is None or stamp.pending != frozenset() or loaded is None:
        return None
    return question, person, loaded.version, stamp.epoch, stamp.version, stamp.vectors

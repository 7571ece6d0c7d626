"""Does not make every shopper wait for a graph that is known to be away."""

import threading
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from neo4j import ManagedTransaction, Session

from graph.errors import GraphUnavailable

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST_TRY_S = 30.0


class GraphPort(Protocol):
    """What the web floor asks of a graph."""

    def read(
        self,
        query: Callable[Concatenate[ManagedTransaction, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a query function in a read transaction."""
        ...

    def ask(
        self,
        query: Callable[Concatenate[ManagedTransaction | Session, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a query function of one reading statement."""
        ...

    def write(
        self,
        query: Callable[Concatenate[ManagedTransaction, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a query function in a write transaction."""
        ...

    def ping(self) -> None:
        """Ask for a sign of life."""
        ...


class Breaker:
    """
    A graph that, once away, is tried again only every ``pause_s``, by one caller at a time.

    The others are told at once that it is away, and answer from memory.
    """

    def __init__(
        self,
        graph: GraphPort,
        *,
        pause_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._graph = graph
        self._pause_s = pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._next_try: float | None = None

    def read(
        self,
        query: Callable[Concatenate[ManagedTransaction, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As the graph's own ``read``."""
        return self._guard(lambda: self._graph.read(query, *args, **kwargs))

    def ask(
        self,
        query: Callable[Concatenate[ManagedTransaction | Session, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As the graph's own ``ask``."""
        return self._guard(lambda: self._graph.ask(query, *args, **kwargs))

    def write(
        self,
        query: Callable[Concatenate[ManagedTransaction, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As the graph's own ``write``."""
        return self._guard(lambda: self._graph.write(query, *args, **kwargs))

    def ping(self) -> None:
        """As the graph's own ``ping``."""
        self._guard(self._graph.ping)

    def _guard(self, call: Callable[[], T]) -> T:
        self._admit()
        try:
            answer = call()
        except GraphUnavailable:
            self._set(self._clock() + self._pause_s)
            raise
        except BaseException:
            self._set(None)
            raise
        self._set(None)
        return answer

    def _admit(self) -> None:
        # Unlocked look first: in good times no caller waits for another here.
        if self._next_try is None:
            return
        with self._lock:
            now = self._clock()
            until = self._next_try
            if until is not None and now < until:
                raise GraphUnavailable("away a moment ago")
            if until is not None:
                # This caller tries; the others are refused until it has an answer.
                self._next_try = now + _LONGEST_TRY_S

    def _set(self, next_try: float | None) -> None:
        if self._next_try is not next_try:
            with self._lock:
                self._next_try = next_try

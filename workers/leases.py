"""A lease that is kept alive in the background, and writes that it fences."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import structlog
from neo4j import ManagedTransaction

from graph import leases
from graph.client import Graph
from graph.errors import GraphUnavailable, LeaseLost
from graph.leases import Lease

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)


def now_ms() -> int:
    """This moment, in milliseconds UTC."""
    return time.time_ns() // 1_000_000


class HeldLease:
    """
    A lease, renewed by a thread every third of its time to live until the block ends.

    A worker that was paused for too long finds its fence outdated at the next write and stops;
    whoever took over is not disturbed.
    """

    def __init__(
        self, graph: Graph, lease: Lease, *, ttl_s: float, clock: Callable[[], int] = now_ms
    ) -> None:
        self._graph = graph
        self._lease = lease
        self._ttl_s = ttl_s
        self._clock = clock
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._lost.is_set():
            return
        try:
            self._graph.write(leases.release, self._lease.name, self._lease.owner)
        except GraphUnavailable:
            log.warning("lease_not_released", name=self._lease.name)

    @property
    def is_lost(self) -> bool:
        """Whether somebody else holds it by now, as far as is known here."""
        return self._lost.is_set()

    def check(self) -> None:
        """Stop here when the lease is gone; raises ``LeaseLost``."""
        if self._lost.is_set():
            raise LeaseLost(f"the lease {self._lease.name} has passed to somebody else")

    def write(
        self,
        query: Callable[Concatenate[ManagedTransaction, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """
        Run a query function in a transaction that first proves that the lease is still ours.

        Raises:
            LeaseLost: it is not; nothing was written.
        """
        self.check()

        def fenced(tx: ManagedTransaction) -> T:
            leases.check(tx, self._lease.name, self._lease.fence)
            return query(tx, *args, **kwargs)

        return self._graph.write(fenced)

    def _renew(self) -> None:
        while not self._stop.wait(self._ttl_s / 3):
            try:
                renewed = self._graph.write(
                    leases.acquire,
                    self._lease.name,
                    self._lease.owner,
                    now_ms=self._clock(),
                    ttl_ms=int(self._ttl_s * 1000),
                )
            except GraphUnavailable:
                log.warning("lease_not_renewed", name=self._lease.name)
                continue
            if renewed is None or renewed.fence != self._lease.fence:
                self._lost.set()
                log.error("lease_lost", name=self._lease.name)
                return

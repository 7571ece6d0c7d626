"""Writing batches into the graph: never gives up on the server, sets aside what it cannot take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from neo4j import ManagedTransaction

from graph import events as graph_events
from graph import leases
from graph.client import Graph
from graph.domain.events import Event
from graph.domain.ids import EventId
from graph.errors import GraphRejected, GraphUnavailable
from graph.leases import Lease
from workers.ingest.settings import IngestSettings

log = structlog.get_logger(__name__)

_TRIES_BEFORE_HALVING = 3


@dataclass(slots=True)
class Written:
    """
    What became of a batch.

    Attributes:
        duplicates: ids of events that the graph had already, or that came twice.
        conflicts: ids of events that the graph has with other content.
        refused: events that the graph cannot take at all, with the reason.
        erased: events of people who were erased; nothing is kept of them.
        told_again: stored purchases that another source told before; they do not count.
    """

    stored: set[EventId] = field(default_factory=set)
    duplicates: set[EventId] = field(default_factory=set)
    conflicts: set[EventId] = field(default_factory=set)
    refused: list[tuple[Event, str]] = field(default_factory=list)
    told_again: set[EventId] = field(default_factory=set)
    erased: set[EventId] = field(default_factory=set)

    def counting(self) -> set[EventId]:
        """What is new and counts: stored, and not told by another source before; a set anew."""
        return self.stored - self.told_again


class Writer:
    """
    Writes under a lease, so that of two processes only the rightful one writes.

    Attributes:
        lease: the lease held now.
    """

    def __init__(
        self, graph: Graph, settings: IngestSettings, *, should_stop: Callable[[], bool]
    ) -> None:
        self._graph = graph
        self._settings = settings
        self._should_stop = should_stop
        self._is_away = False
        self.lease: Lease | None = None

    def write(self, events: Sequence[Event]) -> Written:
        """
        Store events in order; waits for the server as long as it takes.

        Raises:
            LeaseLost: another process took over; nothing of this batch may be acknowledged.
            Stopped: the process was told to stop while the server was away.
        """
        written = Written()
        self._write(events, written)
        return written

    def _write(self, events: Sequence[Event], written: Written) -> None:
        tries = 0
        while events:
            try:
                recorded = self._graph.write(_record, events, self._fence())
            except GraphUnavailable as error:
                tries += 1
                self.wait(tries, error)
                if tries >= _TRIES_BEFORE_HALVING and len(events) > 1 and self._answers():
                    self._write_halves(events, written)
                    return
            except GraphRejected as error:
                if not self._takes_writes():
                    tries += 1
                    self.wait(tries, error)
                elif len(events) == 1:
                    written.refused.append((events[0], "graph_rejected"))
                    log.warning("event_refused", error=_first_words(error))
                    return
                else:
                    self._write_halves(events, written)
                    return
            else:
                self._is_back()
                written.stored.update(recorded.stored)
                written.duplicates.update(recorded.duplicates)
                written.conflicts.update(recorded.conflicts)
                written.erased.update(recorded.erased)
                written.told_again.update(recorded.told_again)
                return

    def _write_halves(self, events: Sequence[Event], written: Written) -> None:
        middle = len(events) // 2
        self._write(events[:middle], written)
        self._write(events[middle:], written)

    def _fence(self) -> int | None:
        return None if self.lease is None else self.lease.fence

    def _answers(self) -> bool:
        try:
            self._graph.ping()
        except (GraphUnavailable, GraphRejected):
            return False
        return True

    def _takes_writes(self) -> bool:
        """Whether a harmless write works, so that a refusal must be the event's own fault."""
        try:
            self._graph.write(_probe)
        except (GraphUnavailable, GraphRejected):
            return False
        return True

    def wait(self, tries: int, error: Exception) -> None:
        """Pause since the server is away, longer each time; raises ``Stopped`` when told to end."""
        if not self._is_away:
            self._is_away = True
            log.warning("graph_away", error=_first_words(error))
        pause_s = min(self._settings.retry_s * 2 ** min(tries - 1, 6), self._settings.retry_max_s)
        until = time.monotonic() + pause_s
        while time.monotonic() < until:
            if self._should_stop():
                raise Stopped
            time.sleep(0.05)

    def _is_back(self) -> None:
        if self._is_away:
            self._is_away = False
            log.info("graph_back")


class Stopped(Exception):
    """The process was told to stop; the batch stays on the stream."""


def _record(
    tx: ManagedTransaction, events: Sequence[Event], fence: int | None
) -> graph_events.Recorded:
    if fence is not None:
        leases.check(tx, LEASE_NAME, fence)
    return graph_events.record(tx, events)


def _probe(tx: ManagedTransaction) -> None:
    now_ms = time.time_ns() // 1_000_000
    leases.acquire(tx, "ingest-probe", "probe", now_ms=now_ms, ttl_ms=1)


def _first_words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:60]}" if str(error) else type(error).__name__


LEASE_NAME = "ingest"

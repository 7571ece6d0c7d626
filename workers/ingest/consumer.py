"""The ingest loop: stream to graph, in order, in batches, each exactly once in effect."""

import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from neo4j import ManagedTransaction

from graph import leases, users
from graph.aftermath import aftermath
from graph.client import Graph
from graph.errors import GraphError, GraphUnavailable, LeaseLost
from graph.rehearsal import rehearse
from workers.ingest.reader import Batch, Reader
from workers.ingest.settings import IngestSettings
from workers.ingest.writer import LEASE_NAME, Stopped, Writer, Written
from workers.intake.consent import ConsentCopy
from workers.intake.deadletters import DeadLetters, Keeping
from workers.intake.errors import StreamUnavailable
from workers.intake.letters import of_event
from workers.intake.online import OnlineState
from workers.intake.tally import Tally

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


def now_ms() -> int:
    """The time, milliseconds UTC."""
    return time.time_ns() // 1_000_000


class Consumer:
    """
    One ingest process: waits for the lease, then works until it is stopped.

    While a batch is written, the next one is already read and decoded, and the copies in Valkey are
    still told of the one before.
    """

    def __init__(
        self,
        graph: Graph,
        redis_url: str,
        settings: IngestSettings,
        *,
        clock: Callable[[], int] = now_ms,
        keeping: Keeping | None = None,
    ) -> None:
        self._graph = graph
        self._settings = settings
        self._clock = clock
        self._stopping = threading.Event()
        self._reader = Reader(
            redis_url, batch_events=settings.batch_events, block_ms=settings.block_ms
        )
        self._writer = Writer(graph, settings, should_stop=self._stopping.is_set)
        self._online = OnlineState(redis_url)
        self._consent = ConsentCopy(redis_url)
        self._letters = DeadLetters(redis_url, keeping)
        self._tally = Tally(redis_url)
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._renew_at = 0.0

    def stop(self) -> None:
        """Finish the batch in hand, then end; safe from a signal handler."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping.is_set():
            if not self._take_lease():
                self._stopping.wait(self._settings.lease_ttl_ms / 5_000)
                continue
            try:
                self._work()
            except LeaseLost:
                log.warning("lease_lost")
                self._writer.lease = None
            except StreamUnavailable as error:
                log.warning("stream_away", error=str(error))
                self._stopping.wait(self._settings.retry_s)
            except Stopped:
                break
        self._release()

    def drain(self) -> None:
        """Write what is on the stream now, and return; for tests and tools."""
        if not self._take_lease():
            raise LeaseLost(LEASE_NAME)
        self._reader.restart()
        while batch := self._reader.next_batch(self._clock()):
            self._store(batch)
        self._release()

    def _work(self) -> None:
        self._rehearse()
        if not self._consent.is_loaded():  # else it may know more than is in the graph yet
            self._consent.load(self._ask(users.barred))
        self._reader.restart()
        log.info("ingest_started")
        with ThreadPoolExecutor(2, thread_name_prefix="beside") as pool:
            ahead = self._read_ahead(pool)
            telling: Future[None] | None = None
            try:
                while not self._stopping.is_set():
                    batch = ahead.result()
                    if not batch:
                        # What is not acknowledged yet would be found again.
                        _finished(telling)
                        telling = None
                        self._reader.look_back()
                    ahead = self._read_ahead(pool)
                    if batch:
                        started = time.perf_counter()
                        written = self._writer.write(batch.events)
                        _finished(telling)
                        telling = pool.submit(self._finish, batch, written, started)
                    self._renew_lease()
                _finished(telling)
            finally:
                ahead.cancel()

    def _rehearse(self) -> None:
        try:
            rehearse(self._graph)
        except GraphUnavailable:
            log.info("rehearsal_skipped")

    def _read_ahead(self, pool: ThreadPoolExecutor) -> "Future[Batch]":
        return pool.submit(self._reader.next_batch, self._clock())

    def _store(self, batch: Batch) -> None:
        started = time.perf_counter()
        self._finish(batch, self._writer.write(batch.events), started)

    def _finish(self, batch: Batch, written: Written, started: float) -> None:
        """Tell of what is in the graph now, and then forget it; the next batch may be under way."""
        self._settle(batch, written)
        self._tell(batch, written)
        self._count(batch, written)
        self._reader.acknowledge(batch)
        log.info(
            "events_recorded",
            accepted=len(written.stored),
            duplicate=len(written.duplicates),
            conflict=len(written.conflicts),
            refused=len(written.refused),
            erased=len(written.erased),
            duration_ms=int(1_000 * (time.perf_counter() - started)),
        )

    def _count(self, batch: Batch, written: Written) -> None:
        """Note what became of the events; an entry that is read again may be counted twice."""
        events = batch.events
        self._tally.written(
            (event for event in events if event.event_id in written.stored),
            (event for event in events if event.event_id not in written.stored),
            self._clock(),
        )

    def _tell(self, batch: Batch, written: Written) -> None:
        """Bring the copies in Valkey up to date with what is in the graph now."""
        after = self._ask(aftermath, batch.events)
        # What was there before may have been stored in the try before a crash, and never told.
        told_before = written.duplicates - written.stored
        stale = {event.user_id for event in batch.events if event.event_id in told_before}
        for user_id in list(stale):
            stale.update(after.siblings.get(user_id, ()))
        lifted = self._consent.note(after.denials)
        if lifted:  # who denied anew since the graph was read must not be lifted by what it said
            self._consent.note(self._ask(users.denials, sorted(lifted)))
        counting = written.counting()
        self._online.remember(
            (event for event in batch.events if event.event_id in counting),
            siblings=after.siblings,
            changed=after.changed | stale,
        )

    def _ask(
        self,
        query: Callable[Concatenate[ManagedTransaction, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Read from the graph, as soon as it answers."""
        tries = 0
        while True:
            try:
                return self._graph.read(query, *args, **kwargs)
            except GraphUnavailable as error:
                tries += 1
                self._writer.wait(tries, error)

    def _settle(self, batch: Batch, written: Written) -> None:
        at_ms = self._clock()
        letters = list(batch.unreadable)
        letters += (of_event(event, reason, at_ms) for event, reason in written.refused)
        letters += (
            of_event(event, "conflict", at_ms)
            for event in batch.events
            if event.event_id in written.conflicts
        )
        if letters:
            self._letters.add(letters)

    def _take_lease(self) -> bool:
        try:
            self._writer.lease = self._graph.write(
                leases.acquire,
                LEASE_NAME,
                self._owner,
                now_ms=self._clock(),
                ttl_ms=self._settings.lease_ttl_ms,
            )
        except GraphError as error:
            log.warning("lease_not_taken", error=type(error).__name__)
            return False
        self._renew_at = time.monotonic() + self._settings.lease_ttl_ms / 3_000
        return self._writer.lease is not None

    def _renew_lease(self) -> None:
        if time.monotonic() < self._renew_at:
            return
        self._letters.trim(self._clock())
        try:
            lease = self._graph.write(
                leases.acquire,
                LEASE_NAME,
                self._owner,
                now_ms=self._clock(),
                ttl_ms=self._settings.lease_ttl_ms,
            )
        except GraphUnavailable:
            return  # the next write finds out whether it is still ours
        held = self._writer.lease
        # One more means that it ran out during a slow batch and nobody else had it since.
        if lease is None or held is None or lease.fence > held.fence + 1:
            raise LeaseLost(LEASE_NAME)
        self._writer.lease = lease
        self._renew_at = time.monotonic() + self._settings.lease_ttl_ms / 3_000

    def _release(self) -> None:
        if self._writer.lease is None:
            return
        try:
            self._graph.write(leases.release, LEASE_NAME, self._owner)
        except GraphError as error:
            log.warning("lease_not_released", error=type(error).__name__)
        self._writer.lease = None


def _finished(telling: "Future[None] | None") -> None:
    """Wait until the batch before is told of; raises what went wrong with it."""
    if telling is not None:
        telling.result()

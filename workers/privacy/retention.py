"""Keeps nothing longer than its class of data is meant to be kept, and reports what went."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import structlog

from graph import audit, retention
from graph.client import Graph
from graph.edges import ALL_EDGES
from workers.connectors.files.layouts import PUBLISHED
from workers.intake.deadletters import DeadLetters
from workers.privacy.model_files import CACHE, ModelFiles
from workers.privacy.settings import PrivacySettings

log = structlog.get_logger(__name__)

_DAY_MS = 86_400_000
_LOGIN = "IDENTIFIED"


class Retention:
    """One pass over everything that grows old; safe to run twice and to cut short."""

    def __init__(
        self,
        graph: Graph,
        letters: DeadLetters,
        store: Path,
        settings: PrivacySettings,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._graph = graph
        self._letters = letters
        self._store = store
        self._settings = settings
        self._clock = clock

    def run(self, *, by: str) -> dict[str, int]:
        """
        Take away what is too old.

        Args:
            by: name of the job or the command that asks.

        Returns:
            How much went, by what it was.

        Raises:
            GraphUnavailable, StreamUnavailable: a store is away; the next pass goes on.
        """
        now = self._clock()
        taken = Counter({"dead_letters": self._letters.trim(now)})
        taken["payloads"] = self._payloads(now - self._settings.payload_days * _DAY_MS)
        taken.update(self._behaviour(now - self._settings.edges_days * _DAY_MS))
        ModelFiles(self._store, self._graph).sweep()
        report = {name: n for name, n in sorted(taken.items()) if n}
        entry = audit.Entry(at=now, act=audit.Act.RETENTION, by=by, about=None)
        self._graph.write(audit.note, entry, report)
        log.info("retention_done", taken=report)
        return report

    def _payloads(self, before_ms: int) -> int:
        gone = 0
        for edge in ALL_EDGES:
            while n := self._graph.write(
                retention.forget_payloads, edge, before_ms=before_ms, kept_sources=self._kept
            ):
                gone += n
        return gone

    def _behaviour(self, before_ms: int) -> Counter[str]:
        taken: Counter[str] = Counter()
        for edge in ALL_EDGES:
            while edge.relationship != _LOGIN:
                found = self._graph.write(
                    retention.forget_edges, edge, before_ms=before_ms, kept_sources=self._kept
                )
                taken.update(found)
                if not found[f"edges.{edge.relationship}"]:
                    break
        while (found := self._graph.write(retention.forget_people, before_ms=before_ms)).total():
            taken.update(found)
        if taken.total():
            # The pulled arrays hold the same edges; the next pull reads them anew.
            (self._store / CACHE).unlink(missing_ok=True)
        return taken

    @property
    def _kept(self) -> list[str]:
        said = {name.strip() for name in self._settings.kept_sources.split(",")}
        return sorted((said - {""}) | PUBLISHED)

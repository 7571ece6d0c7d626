"""The whole of Complete Journey: catalogue, receipts, promotions, campaigns, in that order."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from graph import campaigns, items, promotions, pulls, tombstones, users
from graph.client import Graph
from graph.domain.campaigns import Coupon
from graph.domain.catalogue import Promotion
from workers.connectors.files.complete_journey import CompleteJourney
from workers.connectors.files.complete_journey_promotions import promotions as read_promotions
from workers.connectors.imports import Imported, ImportRun
from workers.connectors.rejects import RejectFile
from workers.intake.changes import CatalogueChanges
from workers.intake.door import Door
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.stream import EventStream

T = TypeVar("T")
Report = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much it is in all."""

STAGES = ("catalogue", "receipts", "graph", "promotions", "campaigns")
_ITEMS = 5_000
_EDGES = 20_000
_ROWS = 5_000


@dataclass(slots=True)
class JourneyImported:
    """
    What a run did.

    Attributes:
        receipts: lines and events of the receipts; see ``Imported``.
        seconds: by stage; ``receipts`` ends when all of them are in the graph.
        skipped: stages that an earlier run had finished.
    """

    receipts: Imported = field(default_factory=Imported)
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Figures for machines."""
        seconds = {name: round(value, 2) for name, value in self.seconds.items()}
        events = self.receipts.events
        receipts_s = self.seconds.get("receipts", 0.0)
        return {
            "lines": self.receipts.lines,
            "events": events,
            "rejected": self.receipts.rejected,
            "door_s": round(self.receipts.door_s, 2),
            "stream_s": round(self.receipts.stream_s, 2),
            "wait_s": round(self.receipts.wait_s, 2),
            "events_per_s": round(events / receipts_s) if events and receipts_s else None,
            "seconds": seconds,
            "skipped": self.skipped,
        }


class JourneyImport:
    """Brings the data set in; killed at any point, the next run goes on, a second adds nothing."""

    def __init__(
        self,
        data: CompleteJourney,
        graph: Graph,
        stream: EventStream,
        changes: CatalogueChanges,
        pseudonyms: Pseudonyms,
    ) -> None:
        self._data = data
        self._graph = graph
        self._stream = stream
        self._changes = changes
        self._pseudonyms = pseudonyms

    def run(self, rejects: RejectFile, report: Report = lambda *_: None) -> JourneyImported:
        """Import what is not in the graph yet; an ingest process must be active."""
        done = JourneyImported()
        is_new = self._graph.read(pulls.last_seq) == 0 and self._stream.depth() == 0
        self._stage("catalogue", done, is_new, lambda: self._catalogue(report))
        started = time.perf_counter()
        self._receipts(done, rejects, report)
        done.seconds["receipts"] = time.perf_counter() - started
        self._stage("promotions", done, is_new, lambda: self._promotions(report))
        self._stage("campaigns", done, is_new, lambda: self._campaigns(report))
        return done

    def _stage(
        self, name: str, done: JourneyImported, is_new: bool, work: Callable[[], None]
    ) -> None:
        mark = f"{self._data.name}:{name}"
        if not is_new and self._stream.bookmark(mark) is not None:
            done.skipped.append(name)
            return
        started = time.perf_counter()
        work()
        self._stream.append([], bookmark=(mark, "done"))
        done.seconds[name] = time.perf_counter() - started

    def _catalogue(self, report: Report) -> None:
        now_ms = time.time_ns() // 1_000_000
        rows = list(self._data.items())
        for position, chunk in _chunks(rows, _ITEMS):
            told = [item.item_id for item in chunk]
            self._changes.begin(told)
            self._graph.write(items.upsert, chunk, now_ms=now_ms)
            self._changes.done(told)
            report("catalogue", position, len(rows))

    def _receipts(self, done: JourneyImported, rejects: RejectFile, report: Report) -> None:
        total = self._data.total or 0
        sent_bytes = 0

        def sent(so_far: Imported) -> None:
            nonlocal sent_bytes
            report("receipts", so_far.lines, total)

        run = ImportRun(
            Door(self._pseudonyms),
            self._stream,
            self._graph,
            report=sent,
            erased=lambda people: self._graph.read(tombstones.among, people),
        )
        after = run.resume_after(self._data)
        if after >= total:
            done.skipped.append("receipts")
            done.receipts = Imported(lines=after)
            return
        done.receipts = run.send(self._data, rejects, after=after)
        left = max(1, self._stream.backlog_bytes())
        run.drain(lambda waiting: report("graph", max(0, left - waiting), left))
        report("graph", left, left)

    def _promotions(self, report: Report) -> None:
        found = read_promotions(self._data.promotions_file)
        total = sum(len(one.items) for one in found)
        sent = 0
        for chunk in _by_edges(found, _EDGES):
            self._graph.write(promotions.upsert, chunk)
            sent += sum(len(one.items) for one in chunk)
            report("promotions", sent, total)

    def _campaigns(self, report: Report) -> None:
        people = [
            users.Sighting(user_id=user_id, ref=ref)
            for user_id, ref in map(self._pseudonyms.customer, self._data.households())
        ]
        self._graph.write(users.meet, people)
        self._graph.write(campaigns.upsert, self._data.campaigns())
        coupons, targeted = self._data.coupons(), self._data.targeted(self._pseudonyms)
        total = sum(len(one.item_ids) for one in coupons) + len(targeted)
        sent = 0
        for batch in _coupons_by_items(coupons, _EDGES):
            self._graph.write(campaigns.upsert_coupons, batch)
            sent += sum(len(one.item_ids) for one in batch)
            report("campaigns", sent, total)
        for _, rows in _chunks(targeted, _ROWS):
            self._graph.write(campaigns.target, rows)
            report("campaigns", sent := sent + len(rows), total)
        for _, redeemed in _chunks(self._data.redemptions(self._pseudonyms), _ROWS):
            self._graph.write(campaigns.redeem, redeemed)


def _chunks(rows: Iterable[T], size: int) -> Iterator[tuple[int, list[T]]]:
    iterator, position = iter(rows), 0
    while chunk := list(islice(iterator, size)):
        position += len(chunk)
        yield position, chunk


def _by_edges(found: Sequence[Promotion], most: int) -> Iterator[list[Promotion]]:
    """Promotions cut so that no list holds more than ``most`` items."""
    for one in found:
        for start in range(0, len(one.items), most):
            yield [replace(one, items=one.items[start : start + most])]


def _coupons_by_items(coupons: Sequence[Coupon], most: int) -> Iterator[list[Coupon]]:
    batch: list[Coupon] = []
    size = 0
    for one in coupons:
        if batch and size + len(one.item_ids) > most:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.item_ids)
    if batch:
        yield batch

"""Erasing a person: one walk through every store, a mark that stays, a receipt with counts."""

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from graph import audit, erasures, tombstones
from graph.client import Graph
from graph.domain.erasures import Case, ErasureState, Receipt, ReceiptId
from graph.domain.ids import UserId
from workers.intake.consent import ConsentCopy
from workers.intake.traces import Sought, Traces

log = structlog.get_logger(__name__)

_DAY_MS = 86_400_000


class Files(Protocol):
    """Files that may hold something of a person."""

    def forget(self, user_ids: Collection[str]) -> Mapping[str, int]:
        """Take these people out; says how much went, by where."""
        ...


class Erasures:
    """
    Erases people; cut short at any point, the same call, or ``resume``, goes on.

    The mark comes first: from then on every store refuses what is told of the person, so that what
    is taken away stays away.
    """

    def __init__(
        self,
        graph: Graph,
        consent: ConsentCopy,
        traces: Traces,
        files: Sequence[Files],
        *,
        retrain_within_days: int,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._graph = graph
        self._consent = consent
        self._traces = traces
        self._files = files
        self._retrain_within_ms = retrain_within_days * _DAY_MS
        self._clock = clock

    def erase(self, user_id: UserId, *, by: str) -> Receipt:
        """
        Erase a person under all their pseudonyms; a second call gives the same receipt.

        Args:
            by: name of the key or the command that asks.

        Raises:
            GraphUnavailable, StreamUnavailable: a store is away; the erasure stays open.
        """
        now = self._clock()
        wanted = Receipt(
            receipt_id=ReceiptId(f"e-{uuid.uuid4().hex}"),
            state=ErasureState.RUNNING,
            requested_at=now,
            retrain_by=now + self._retrain_within_ms,
            by=by,
        )
        return self._walk(self._graph.write(erasures.begin, user_id, wanted))

    def resume(self) -> list[Receipt]:
        """Go on with every erasure that was cut short."""
        left = self._graph.read(erasures.unfinished)
        return [self._walk(self._graph.read(erasures.case, one)) for one in left]

    def get(self, receipt_id: ReceiptId) -> Receipt:
        """A receipt; raises ``UnknownReceipt``."""
        return self._graph.read(erasures.get, receipt_id)

    def reopen(self, first: UserId, current: UserId, *, by: str) -> int | None:
        """
        Let somebody who was erased in again as somebody new, since they agreed anew.

        Args:
            first: the pseudonym that they had before any erasure.
            current: the one that counts now.

        Returns:
            Which pseudonym counts from now on; ``None`` where they were not erased.
        """
        generation = self._graph.write(tombstones.reopen, first, current)
        if generation is not None:
            entry = audit.Entry(at=self._clock(), act=audit.Act.RETURN, by=by, about=current)
            self._graph.write(audit.note, entry)
            self._traces.announce()
        return generation

    def _walk(self, case: Case) -> Receipt:
        receipt_id, people = case.receipt.receipt_id, case.user_ids
        sought = Sought(people, case.device_ids)
        self._consent.erase(people)
        self._note(receipt_id, self._traces.forget(sought))
        for user_id in sorted(people):
            while self._graph.write(erasures.forget_edges, receipt_id, user_id):
                pass
            self._graph.write(erasures.forget_node, receipt_id, user_id)
        # Who was at work on them when it began has come to an end by now.
        self._note(receipt_id, self._traces.forget(sought))
        for files in self._files:
            self._note(receipt_id, files.forget(people))
        self._traces.announce()
        self._traces.rewrite()
        return self._finish(case.receipt, people)

    def _note(self, receipt_id: ReceiptId, taken: Mapping[str, int]) -> None:
        self._graph.write(erasures.note, receipt_id, taken)

    def _finish(self, receipt: Receipt, people: Collection[UserId]) -> Receipt:
        now = self._clock()
        done = self._graph.write(erasures.finish, receipt.receipt_id, now_ms=now)
        self._graph.write(audit.forget, people, receipt.receipt_id)
        if not receipt.finished_at:
            entry = audit.Entry(
                at=now, act=audit.Act.ERASURE, by=receipt.by, about=receipt.receipt_id
            )
            self._graph.write(audit.note, entry)
        log.info("person_erased", receipt_id=done.receipt_id, counts=done.counts)
        return done


def apply_tombstones(
    erasing: Erasures,
    graph: Graph,
    marks: tombstones.Marks | None = None,
    also: Iterable[UserId] = (),
) -> int:
    """
    Erase again everybody who was erased since an older copy of the graph was made.

    For a graph that was put back: call it before anything is served.

    Args:
        marks: of ``tombstones.marks``, read from the graph that the older copy replaced, where
            they were not left in it.
        also: others who were erased, where the marks are lost.

    Returns:
        How many people were erased again.
    """
    if marks is not None:
        graph.write(tombstones.put_back, marks)
    back = {*graph.read(erasures.marked_and_there), *also}
    for user_id in sorted(back):
        erasing.erase(user_id, by="restore")
    return len(back)

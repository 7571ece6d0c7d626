"""Which items may be shown: known in memory, kept in step with what the shop changes."""

import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from backend.breaker import GraphPort
from backend.shelf_memory import ShelfMemory
from backend.wishes import OPEN, Filter
from graph.domain.ids import ItemId
from graph.errors import GraphUnavailable
from graph.shelf import ABSENT, OnShelf, on_shelf
from workers.intake.changes import Stamp
from workers.intake.errors import StreamUnavailable

log = structlog.get_logger(__name__)

_CHUNK = 20_000
_MOST_FILTERS = 50
_READ_AGAIN_MS = 600_000
"""Everything is read anew this often, for what was changed in the graph by hand."""


class Changes(Protocol):
    """Where processes tell each other of changed items; raises ``StreamUnavailable``."""

    def stamp(self) -> Stamp:
        """How far the shop has come."""
        ...

    def since(self, version: int) -> list[ItemId] | None:
        """Items that changed after a version; ``None`` where that is too long ago."""
        ...

    def begin(self, item_ids: Iterable[ItemId]) -> None:
        """These items are about to change."""
        ...

    def done(self, item_ids: Sequence[ItemId]) -> None:
        """They have changed."""
        ...

    def settle(self) -> int:
        """Take for done what has been pending for long."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What the shelf says about a list.

    Attributes:
        allowed: the first items of it that may be shown now, in order.
        rows: what is known of them.
    """

    allowed: list[ItemId]
    rows: Mapping[ItemId, OnShelf]


class Shelf:
    """
    The shop's word on every item that a list may hold.

    Each answer brings a stamp, read together with what it knows of the person. Where it is ahead
    of the memory, the changed items are read first; what is pending, unknown or cannot be brought
    up to date in time is looked up in the graph.
    """

    def __init__(self, graph: GraphPort, changes: Changes, *, now_ms: Callable[[], int]) -> None:
        self._graph = graph
        self._changes = changes
        self._now_ms = now_ms
        self._memory = ShelfMemory()
        self._stamp: Stamp | None = None
        self._unread: Collection[ItemId] = ()
        self._read_at_ms = 0
        self._fitting: dict[Hashable, frozenset[ItemId]] = {}
        self._updating = threading.Lock()

    @property
    def hidden(self) -> frozenset[ItemId]:
        """Items known not to be for show now."""
        return self._memory.hidden(self._now_ms())

    @property
    def rows(self) -> Mapping[ItemId, OnShelf]:
        """The last word known of every item in memory."""
        return self._memory.rows

    @property
    def epoch(self) -> str | None:
        """Of Valkey, when everything was read; ``None`` if it was away."""
        return self._stamp.epoch if self._stamp else None

    @property
    def border_ms(self) -> int:
        """The next moment at which an item comes or goes by the clock alone."""
        return self._memory.border_ms(self._now_ms())

    def stamp(self) -> Stamp | None:
        """How far the shop has come; ``None`` while nobody can say."""
        try:
            return self._changes.stamp()
        except StreamUnavailable:
            return None

    def barred(self, stamp: Stamp | None) -> frozenset[ItemId]:
        """
        Items that a ranking need not name, as they are surely not for show at that stamp.

        Empty where the memory is behind: ``look`` will say.
        """
        try:
            is_in_step = self._bring_up(stamp)
        except GraphUnavailable:
            return self.hidden
        if not is_in_step or stamp is None or stamp.pending is None:
            return frozenset()
        return self.hidden - stamp.pending if stamp.pending else self.hidden

    def learn(self, item_ids: Sequence[str]) -> None:
        """
        Read all of these items anew, and forget all others.

        Raises:
            GraphError: the graph could not say.
        """
        with self._updating:
            self._read_all([ItemId(item_id) for item_id in item_ids], self.stamp())

    def look(
        self,
        item_ids: Sequence[ItemId],
        *,
        limit: int,
        only: Filter = OPEN,
        stamp: Stamp | None = None,
    ) -> Seen:
        """
        The first ``limit`` of a list that may be shown and fit.

        Raises:
            GraphUnavailable: the graph had to be asked and cannot be; ``from_memory`` can.
        """
        if not item_ids:
            return Seen([], {})
        memory, now = self._memory, self._now_ms()
        rows = self._words(item_ids, stamp or self.stamp())
        if rows is memory.rows:
            hidden = memory.hidden(now)
            allowed = [item_id for item_id in item_ids if item_id not in hidden]
        else:
            allowed = [one for one in item_ids if rows.get(one, ABSENT).is_shown(now)]
        if not only.is_open:
            allowed = [one for one in allowed if only.fits(rows.get(one, ABSENT))]
        return Seen(allowed[:limit], rows)

    def from_memory(self, item_ids: Sequence[ItemId], *, limit: int, only: Filter = OPEN) -> Seen:
        """The same by the last word known; doubtful items are left out."""
        rows, barred = self._memory.rows, self.hidden.union(self._unread)
        allowed = [
            item_id
            for item_id in item_ids
            if item_id not in barred and (only.is_open or only.fits(rows.get(item_id, ABSENT)))
        ]
        return Seen(allowed[:limit], rows)

    def fitting(self, only: Filter, stamp: Stamp | None) -> frozenset[ItemId] | None:
        """All items of the memory that fit; ``None`` where it is behind that stamp."""
        key = only, stamp.epoch if stamp else None, stamp.version if stamp else None
        found = self._fitting.get(key)
        if found is None and stamp is not None and self._is_at(stamp):
            rows = self._memory.rows.copy()
            found = frozenset(item_id for item_id, row in rows.items() if only.fits(row))
            if len(self._fitting) >= _MOST_FILTERS:
                self._fitting.clear()
            self._fitting[key] = found
        return found

    def begin(self, item_ids: Iterable[ItemId]) -> None:
        """Say that items are about to change; raises ``StreamUnavailable``, and they must not."""
        self._changes.begin(item_ids)

    def done(self, item_ids: Sequence[ItemId]) -> None:
        """Say that the graph has their change; where nobody hears it, they stay pending."""
        try:
            self._changes.done(item_ids)
        except StreamUnavailable:
            log.warning("change_left_pending", items=len(item_ids))

    def keep_in_step(self) -> bool:
        """
        For the background: end what others left half done, and read what changed meanwhile.

        Returns:
            Whether everything was read anew, as it is from time to time.

        Raises:
            GraphError: the graph could not say.
        """
        try:
            self._changes.settle()
        except StreamUnavailable:
            return False
        with self._updating:
            stamp, is_old = self.stamp(), self._now_ms() - self._read_at_ms > _READ_AGAIN_MS
            if stamp is not None and self._memory.rows and (self._stamp is None or is_old):
                self._read_all(list(self._memory.rows), stamp)
                return True
            if stamp is not None and self._stamp is not None and not self._is_at(stamp):
                self._update(self._stamp, stamp)
            return False

    def _words(self, item_ids: Sequence[ItemId], stamp: Stamp | None) -> dict[ItemId, OnShelf]:
        """What is known of each item at this moment, by memory or by the graph."""
        is_in_step = self._bring_up(stamp)
        memory, held = self._memory, self._stamp
        if stamp is None or stamp.pending is None or not is_in_step:
            doubtful = list(item_ids)
        else:
            pending = stamp.pending
            doubtful = [one for one in item_ids if one in pending or one not in memory.rows]
        if not doubtful:
            return memory.rows
        found = self._graph.read(on_shelf, doubtful)
        fresh = {item_id: found.get(item_id, ABSENT) for item_id in doubtful}
        self._remember(memory, fresh, held)
        return {item_id: fresh.get(item_id) or memory.rows[item_id] for item_id in item_ids}

    def _remember(
        self, memory: ShelfMemory, fresh: dict[ItemId, OnShelf], held: Stamp | None
    ) -> None:
        """Keep what the graph said, unless the memory was brought up to date in the meantime."""
        if self._updating.acquire(blocking=False):
            try:
                if self._memory is memory and self._stamp is held:
                    memory.keep(fresh, self._now_ms())
            finally:
                self._updating.release()

    def _bring_up(self, stamp: Stamp | None) -> bool:
        """
        Read what changed up to a stamp; whether the memory is there now.

        Whoever comes while another thread reads does not wait, but asks the graph for itself.
        """
        if stamp is None or self._stamp is None:
            return False
        if self._is_at(stamp):
            return True
        if not self._updating.acquire(blocking=False):
            return False
        try:
            if not self._is_at(stamp):
                self._update(self._stamp, stamp)
            return self._is_at(stamp)
        finally:
            self._updating.release()

    def _is_at(self, stamp: Stamp) -> bool:
        held = self._stamp
        return held is not None and held.epoch == stamp.epoch and held.version >= stamp.version

    def _update(self, held: Stamp, stamp: Stamp) -> None:
        try:
            changed = self._changes.since(held.version) if held.epoch == stamp.epoch else None
        except StreamUnavailable:
            return
        if changed is None:
            self._read_all(list(self._memory.rows), stamp)
            return
        # While the graph cannot be asked about them, they are nobody's to show.
        self._unread = frozenset(changed) & self._memory.rows.keys()
        self._read(self._memory, sorted(self._unread))
        self._unread, self._stamp = (), stamp

    def _read_all(self, item_ids: Sequence[ItemId], stamp: Stamp | None) -> None:
        memory = ShelfMemory()
        self._read(memory, item_ids)
        self._memory, self._stamp, self._unread = memory, stamp, ()
        self._read_at_ms = self._now_ms()

    def _read(self, memory: ShelfMemory, item_ids: Sequence[ItemId]) -> None:
        for start in range(0, len(item_ids), _CHUNK):
            part = item_ids[start : start + _CHUNK]
            found = self._graph.read(on_shelf, part)
            rows = {item_id: found.get(item_id, ABSENT) for item_id in part}
            memory.keep(rows, self._now_ms())

"""One import: history through the door onto the stream, at the pace of the graph, resumable."""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from graph import pulls
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.ids import UserId
from workers.connectors.errors import ImportInterrupted
from workers.connectors.rejects import RejectFile
from workers.connectors.rows import Source, SourceRow
from workers.intake.door import Door
from workers.intake.errors import StreamFull, StreamUnavailable
from workers.intake.rows import NOTHING_SEEN, Checked, Seen, Status
from workers.intake.stream import EventStream

T = TypeVar("T")

Erased = Callable[[Collection[UserId]], Collection[UserId]]

CHUNK_ROWS = 4_000
MAX_AHEAD_BYTES = 8 * 1024 * 1024
_PATIENCE_S = 60.0


@dataclass(slots=True)
class Imported:
    """
    How far an import is.

    Attributes:
        lines: lines of the source that are on the stream, over all runs.
        events: what this run put on the stream.
        rejected: rows this run refused.
        repeated: rows that repeat another row of their chunk.
        kinds: rows that were taken, by event type.
        items: items that were told of.
        door_s, stream_s, wait_s: where this run's time went: checking, appending, and waiting
            for the graph.
    """

    lines: int = 0
    events: int = 0
    rejected: int = 0
    repeated: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    items: int = 0
    door_s: float = 0.0
    stream_s: float = 0.0
    wait_s: float = 0.0


class ImportRun:
    """Brings one source in; killed at any point, the next run goes on where this one stopped."""

    def __init__(
        self,
        door: Door,
        stream: EventStream,
        graph: Graph,
        *,
        report: Callable[[Imported], None] = lambda _: None,
        catalogue: Callable[[Sequence[Item]], int] = lambda _: 0,
        erased: Erased = lambda _: frozenset(),
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """
        Args:
            report: is told after each chunk how far the import is.
            catalogue: stores what the source says about items; gives how many it stored.
            erased: which of some people nothing may be stored of.
        """
        self._door = door
        self._stream = stream
        self._graph = graph
        self._report = report
        self._catalogue = catalogue
        self._erased = erased
        self._clock = clock

    def resume_after(self, source: Source) -> int:
        """How many lines are done; 0 also when the graph was emptied since."""
        text = self._stream.bookmark(source.name)
        if text is None:
            return 0
        mark = json.loads(text)
        self.drain()
        if self._graph.read(pulls.last_seq) < mark["events"]:
            return 0
        return int(mark["lines"])

    def send(self, source: Source, rejects: RejectFile, *, after: int) -> Imported:
        """
        Put all rows after a line on the stream.

        Raises:
            ImportInterrupted: the stream stayed away for too long.
        """
        done = Imported(lines=after)
        before = self._events_before(source, after)
        for chunk in chunks(source.rows(after=after), CHUNK_ROWS):
            started = time.perf_counter()
            now = self._clock()
            checked = check(self._door, chunk, rejects, done, received_ms=now, erased=self._erased)
            checked_at = time.perf_counter()
            done.door_s += checked_at - started
            done.lines = chunk[-1].end
            done.events += len(checked.events)
            # Before the bookmark moves on, so that a killed import tells of them again.
            done.items += self._catalogue([item for row in chunk for item in row.items])
            mark = json.dumps({"lines": done.lines, "events": before + done.events})
            self._append(checked, (source.name, mark))
            appended_at = time.perf_counter()
            done.stream_s += appended_at - checked_at
            self._hold_back()
            done.wait_s += time.perf_counter() - appended_at
            self._report(done)
        return done

    def drain(self, report: Callable[[int], None] = lambda _: None) -> None:
        """Wait until everything on the stream is in the graph; reports the bytes that wait."""
        while self._stream.depth() > 0:
            report(self._stream.backlog_bytes())
            time.sleep(0.05)

    def _events_before(self, source: Source, after: int) -> int:
        text = self._stream.bookmark(source.name) if after else None
        return 0 if text is None else int(json.loads(text)["events"])

    def _append(self, checked: Checked, mark: tuple[str, str]) -> None:
        give_up_at = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._stream.append(checked.events, bookmark=mark)
            except StreamFull:
                time.sleep(0.2)
            except StreamUnavailable as error:
                if time.monotonic() > give_up_at:
                    raise ImportInterrupted(
                        "the event stream stayed away; run the import again to go on"
                    ) from error
                time.sleep(0.5)
            else:
                return

    def _hold_back(self) -> None:
        while self._stream.backlog_bytes() > MAX_AHEAD_BYTES:
            time.sleep(0.02)


def check(
    door: Door,
    chunk: Sequence[SourceRow],
    rejects: RejectFile,
    done: Imported,
    *,
    received_ms: int,
    erased: Erased = lambda _: frozenset(),
) -> Checked:
    """Have the events of a chunk checked, and note what became of them."""
    rows = [row for row in chunk if row.has_event]

    def checked_with(seen: Seen) -> Checked:
        return door.check(
            [row.raw for row in rows],
            default_source="import",
            received_ms=received_ms,
            imported=True,
            seen=seen,
        )

    checked = checked_with(NOTHING_SEEN)
    if gone := erased(checked.people):
        checked = checked_with(Seen(erased=frozenset(gone)))
    for row, result in zip(rows, checked.rows, strict=True):
        if result.status is Status.ACCEPTED and isinstance(row.raw, Mapping):
            done.kinds[str(row.raw["event_type"])] += 1
        elif result.status is Status.DUPLICATE:
            done.repeated += 1
        else:
            rejects.add(row.line, result, row.problem)
            done.rejected += 1
    return checked


def look_through(door: Door, source: Source, rejects: RejectFile) -> Imported:
    """Check a whole source and store nothing."""
    done = Imported()
    for chunk in chunks(source.rows(after=0), CHUNK_ROWS):
        checked = check(door, chunk, rejects, done, received_ms=time.time_ns() // 1_000_000)
        done.lines = chunk[-1].end
        done.events += len(checked.events)
        done.items += sum(len(row.items) for row in chunk)
    return done


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size``; the last one may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk

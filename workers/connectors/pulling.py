"""Pulling a connector: window by window, and the bookmark moves only over what is safe."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from workers.connectors.connector import DAY_MS, MINUTE_MS, Clock, Connector, Raw
from workers.connectors.errors import ConnectorError, PlatformError, PlatformTrouble
from workers.connectors.imports import CHUNK_ROWS, chunks
from workers.connectors.refused import Refused
from workers.intake.bookmarks import Bookmarks, Progress
from workers.intake.rows import Caller, RowResult, Status
from workers.intake.times import LATE_MS

log = structlog.get_logger(__name__)

FIRST_PAUSE_MS = 2 * MINUTE_MS
LONGEST_PAUSE_MS = 6 * 60 * MINUTE_MS


class Rows(Protocol):
    """Where rows are checked, and on disk when the call returns."""

    def take(
        self, rows: Sequence[object], caller: Caller, *, received_ms: int, imported: bool = False
    ) -> list[RowResult]:
        """What became of each row, in order; raises where nothing was stored."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """
    How the past is cut into windows.

    Attributes:
        overlap_ms: each window begins so long before the end of the last one, since platforms
            show a change late.
        lag_ms: what is younger is left to the next run.
        begin_ms: how far back the first run goes.
    """

    overlap_ms: int = 10 * MINUTE_MS
    lag_ms: int = MINUTE_MS
    begin_ms: int = 7 * DAY_MS


@dataclass(slots=True)
class Pulled:
    """What a run brought: windows that were closed, and rows by what became of them."""

    windows: int = 0
    rows: Counter[str] = field(default_factory=Counter)


class Pull:
    """Brings in what a platform changed since the bookmark; run again, it goes on from there."""

    def __init__(
        self,
        connector: Connector,
        rows: Rows,
        bookmarks: Bookmarks,
        refused: Refused,
        rules: Rules | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._connector, self._rows = connector, rows
        self._bookmarks, self._refused = bookmarks, refused
        self._rules, self._clock = rules or Rules(), clock or Clock()

    def run(self) -> Pulled:
        """
        Close window after window up to now.

        The end is fixed when the run begins: nothing that changes meanwhile comes into a window.

        Raises:
            ConnectorError, StreamUnavailable: the bookmark stands before the window that failed;
                the first is noted with the progress, and the connector is left alone for a while.
        """
        end_ms = self._clock.now_ms() - self._rules.lag_ms
        progress = self._begun(end_ms)
        done = Pulled()
        try:
            while progress.until_ms < end_ms:
                since_ms, until_ms = self._next_window(progress.until_ms, end_ms)
                self._bring(since_ms, until_ms, done)
                progress = self._noted(progress.moved(until_ms))
        except ConnectorError as error:
            self._noted(self._failed(progress, error))
            raise
        self._noted(replace(progress, failures=0, not_before_ms=0, problem=None))
        log.info("connector_pulled", connector=self._connector.name, **done.rows)
        return done

    def between(self, since_ms: int, until_ms: int) -> Pulled:
        """Bring in a part of the past once more; the bookmark stays. Raises as ``run``."""
        done = Pulled()
        step_ms = self._connector.reach.step_ms
        for start_ms in range(since_ms, until_ms, step_ms):
            self._bring(start_ms, min(start_ms + step_ms, until_ms), done)
        return done

    def _begun(self, end_ms: int) -> Progress:
        progress = self._bookmarks.get(self._connector.name)
        if progress is not None:
            return progress
        history_ms = min(self._rules.begin_ms, self._connector.reach.history_ms)
        return self._noted(Progress(until_ms=end_ms - history_ms))

    def _next_window(self, from_ms: int, end_ms: int) -> tuple[int, int]:
        reach = self._connector.reach
        oldest_ms = self._clock.now_ms() - reach.history_ms
        if from_ms < oldest_ms:
            log.error("connector_too_late", connector=self._connector.name, lost_before=oldest_ms)
            from_ms = oldest_ms
        step_ms = min(reach.step_ms, reach.longest_ms - self._rules.overlap_ms)
        since_ms = max(from_ms - self._rules.overlap_ms, oldest_ms)
        return since_ms, min(from_ms + step_ms, end_ms)

    def _bring(self, since_ms: int, until_ms: int, done: Pulled) -> None:
        # All of the window before any of it: an error on the last page leaves nothing half done.
        for chunk in chunks(self._read(since_ms, until_ms), CHUNK_ROWS):
            if rows := self._refused.others(chunk):
                self._take(rows, until_ms, done)
        done.windows += 1

    def _read(self, since_ms: int, until_ms: int) -> list[Raw]:
        try:
            return list(self._connector.read(since_ms, until_ms))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # The platform has changed its answers: that is noted, and the gap shows it.
            raise PlatformTrouble(f"answers of another form: {type(error).__name__}") from error

    def _take(self, rows: Sequence[Raw], until_ms: int, done: Pulled) -> None:
        now_ms = self._clock.now_ms()
        results = self._rows.take(
            rows,
            Caller(self._connector.name),
            received_ms=now_ms,
            # What would be marked as late is history, and counts as received when it happened.
            imported=until_ms < now_ms - LATE_MS,
        )
        done.rows.update(one.status.value for one in results)
        self._refused.note(list(_refused(rows, results)))

    def _noted(self, progress: Progress) -> Progress:
        progress = replace(progress, tried_ms=self._clock.now_ms())
        self._bookmarks.keep(self._connector.name, progress)
        return progress

    def _failed(self, progress: Progress, error: ConnectorError) -> Progress:
        pause_ms = min(FIRST_PAUSE_MS * 2**progress.failures, LONGEST_PAUSE_MS)
        told_s = error.retry_after_s if isinstance(error, PlatformError) else None
        if told_s is not None:
            pause_ms = max(pause_ms, int(told_s * 1_000))
        log.warning("connector_failed", connector=self._connector.name, problem=str(error))
        return replace(
            progress,
            failures=progress.failures + 1,
            not_before_ms=self._clock.now_ms() + pause_ms,
            problem=f"{type(error).__name__}: {error}",
        )


_TAKEN = (Status.ACCEPTED, Status.DUPLICATE)


def _refused(rows: Sequence[Raw], results: Sequence[RowResult]) -> Iterator[Raw]:
    for row, result in zip(rows, results, strict=True):
        if result.status not in _TAKEN:
            yield row

"""Windows and bookmarks: what moves when, and what does not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from tests.platforms.shop import BEGIN_MS, DAY_MS, FakeClock
from workers.connectors.connector import MINUTE_MS, Clock, Raw, Reach
from workers.connectors.errors import CredentialsRefused, PlatformTrouble
from workers.connectors.pulling import Pull, Rules
from workers.intake.bookmarks import Progress
from workers.intake.errors import StreamUnavailable
from workers.intake.rows import Caller, RowResult, Status


@dataclass
class Connector:
    """Gives one row for each window; fails where it was told to."""

    fails: list[Exception | None] = field(default_factory=list)
    windows: list[tuple[int, int]] = field(default_factory=list)
    name: str = "shop"
    reach: Reach = field(default_factory=lambda: Reach(30 * MINUTE_MS, DAY_MS, 90 * DAY_MS))

    def read(self, since_ms: int, until_ms: int) -> Iterator[Raw]:
        """One row."""
        if self.fails and (error := self.fails.pop(0)):
            raise error
        self.windows.append((since_ms, until_ms))
        yield {"event_id": f"e{until_ms}"}


@dataclass
class Rows:
    """Takes rows, and says of each what it was told to say."""

    status: Status = Status.ACCEPTED
    is_away: bool = False
    taken: list[tuple[str, bool]] = field(default_factory=list)

    def take(
        self, rows: Sequence[Raw], caller: Caller, *, received_ms: int, imported: bool = False
    ) -> list[RowResult]:
        """Keep them."""
        if self.is_away:
            raise StreamUnavailable
        self.taken.extend((row["event_id"], imported) for row in rows)
        return [RowResult(n, row["event_id"], self.status) for n, row in enumerate(rows)]


@dataclass
class Shelf:
    """Bookmarks and refused rows in memory."""

    kept: dict[str, Progress] = field(default_factory=dict)
    refused: list[Raw] = field(default_factory=list)

    def get(self, name: str) -> Progress | None:
        return self.kept.get(name)

    def keep(self, name: str, progress: Progress) -> None:
        self.kept[name] = progress

    def others(self, rows: Sequence[Raw]) -> list[Raw]:
        return [row for row in rows if row not in self.refused]

    def note(self, rows: Sequence[Raw]) -> None:
        self.refused.extend(rows)


@dataclass
class Desk:
    """A pull on stand-ins, an hour after everything before was brought in."""

    connector: Connector = field(default_factory=Connector)
    rows: Rows = field(default_factory=Rows)
    shelf: Shelf = field(default_factory=Shelf)
    clock: FakeClock = field(default_factory=lambda: FakeClock(BEGIN_MS + 61 * MINUTE_MS))

    def __post_init__(self) -> None:
        self.shelf.kept["shop"] = Progress(until_ms=BEGIN_MS)

    @property
    def pull(self) -> Pull:
        clock = Clock(self.clock.now_ms, self.clock.sleep)
        return Pull(self.connector, self.rows, self.shelf, self.shelf, Rules(), clock)  # type: ignore[arg-type]

    @property
    def progress(self) -> Progress:
        return self.shelf.kept["shop"]

    @property
    def until_min(self) -> float:
        """How many minutes the bookmark has moved."""
        return (self.progress.until_ms - BEGIN_MS) / MINUTE_MS


def test_windows_overlap_and_end_where_the_run_began() -> None:
    """Two half hours; what is younger than a minute is left to the next run."""
    desk = Desk()
    desk.pull.run()
    minutes = [
        ((since - BEGIN_MS) / MINUTE_MS, (until - BEGIN_MS) / MINUTE_MS)
        for since, until in desk.connector.windows
    ]
    assert minutes == [(-10, 30), (20, 60)]
    assert (desk.until_min, desk.progress.problem, desk.progress.failures) == (60, None, 0)


def test_j2_the_bookmark_stays_before_the_window_that_failed() -> None:
    """The first half hour is done, the second is asked for again by the next run."""
    desk = Desk(Connector(fails=[None, PlatformTrouble("status 500")]))
    with pytest.raises(PlatformTrouble):
        desk.pull.run()
    assert (desk.until_min, desk.progress.failures) == (30, 1)
    assert desk.progress.problem == "PlatformTrouble: status 500"
    assert desk.progress.gap_minutes(desk.clock.ms) == 31
    desk.pull.run()
    assert (desk.until_min, desk.progress.problem) == (60, None)


def test_answers_of_another_form_are_noted_and_not_skipped() -> None:
    """A field that a platform renamed stops the bookmark, and says so."""
    desk = Desk(Connector(fails=[KeyError("secret")]))
    with pytest.raises(PlatformTrouble):
        desk.pull.run()
    assert desk.progress.problem == "PlatformTrouble: answers of another form: KeyError"
    assert desk.until_min == 0


def test_the_bookmark_stays_where_the_stream_takes_nothing() -> None:
    """Only what is on disk counts."""
    desk = Desk(rows=Rows(is_away=True))
    with pytest.raises(StreamUnavailable):
        desk.pull.run()
    assert desk.until_min == 0


def test_the_pauses_grow_and_the_platform_may_ask_for_longer_ones() -> None:
    """Two minutes, four, eight; a quota of a day is waited for."""
    desk = Desk(Connector(fails=[CredentialsRefused("no")] * 3))
    pauses = []
    for _ in range(3):
        with pytest.raises(CredentialsRefused):
            desk.pull.run()
        pauses.append((desk.progress.not_before_ms - desk.clock.ms) / MINUTE_MS)
    assert pauses == [2, 4, 8]
    desk.connector.fails = [PlatformTrouble("spent", retry_after_s=36_000)]
    with pytest.raises(PlatformTrouble):
        desk.pull.run()
    assert desk.progress.not_before_ms - desk.clock.ms == 36_000_000


def test_the_first_run_goes_back_as_far_as_it_was_told() -> None:
    """And no further than the platform remembers."""
    desk = Desk()
    desk.shelf.kept.clear()
    desk.pull.run()
    begin = desk.clock.ms - MINUTE_MS - 7 * DAY_MS
    assert desk.connector.windows[0] == (begin - 10 * MINUTE_MS, begin + 30 * MINUTE_MS)


def test_a_part_of_the_past_is_read_again_and_moves_no_bookmark() -> None:
    """In windows as wide as the platform likes them."""
    desk = Desk()
    done = desk.pull.between(BEGIN_MS - 45 * MINUTE_MS, BEGIN_MS)
    assert (done.windows, dict(done.rows)) == (2, {"accepted": 2})
    assert desk.until_min == 0


def test_what_would_be_late_counts_as_history() -> None:
    """Orders of a first run that goes back for months are not marked as late."""
    desk = Desk()
    desk.pull.between(BEGIN_MS - 40 * DAY_MS, BEGIN_MS - 40 * DAY_MS + 1)
    desk.pull.between(BEGIN_MS - DAY_MS, BEGIN_MS - DAY_MS + 1)
    assert [imported for _, imported in desk.rows.taken] == [True, False]


def test_a_refused_row_is_put_aside_once() -> None:
    """It comes again with every overlap, and lies with the dead letters already."""
    desk = Desk(rows=Rows(status=Status.REJECTED))
    window = (BEGIN_MS - MINUTE_MS, BEGIN_MS)
    assert dict(desk.pull.between(*window).rows) == {"rejected": 1}
    assert dict(desk.pull.between(*window).rows) == {}


def test_a_bookmark_that_is_older_than_the_platform_remembers_is_moved_up() -> None:
    """What is lost is lost, and the run goes on with what there is."""
    desk = Desk(Connector(reach=Reach(30 * MINUTE_MS, DAY_MS, history_ms=45 * MINUTE_MS)))
    desk.pull.run()
    assert desk.connector.windows[0][0] == desk.clock.ms - 45 * MINUTE_MS
    assert desk.until_min == 60

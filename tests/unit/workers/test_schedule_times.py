"""When the scheduler's bells ring."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from workers.errors import JobsUnavailable
from workers.schedule import Bell, OncePerDay, hang, is_overdue, timetable
from workers.settings import ScheduleSettings

BERLIN = ZoneInfo("Europe/Berlin")


class MemoryRings:
    """Ring times in a dictionary."""

    def __init__(self, **times: datetime) -> None:
        self.times = times

    def last(self, name: str) -> datetime | None:
        return self.times.get(name)

    def note(self, name: str, at: datetime) -> None:
        self.times[name] = at


def walk(trigger: OncePerDay, start: datetime, days: int, step: timedelta) -> list[datetime]:
    """What a scheduler would do with a fake clock that moves by ``step``."""
    rings, previous, now = [], None, start.astimezone(UTC)
    due = trigger.get_next_fire_time(None, now)
    end = now + timedelta(days=days)
    while now < end:
        assert due is not None
        if due <= now:
            rings.append(due)
            previous, due = due, trigger.get_next_fire_time(due, now)
            assert due > previous
        now += step
    return rings


@pytest.mark.parametrize("start", [date(2026, 3, 20), date(2026, 10, 16)])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "America/St_Johns", "Pacific/Apia"])
def test_b9_a_daily_bell_rings_once_a_day_over_clock_changes(start: date, zone: str) -> None:
    """Half past two happens twice or not at all on two days of the year; it rings once on each."""
    tz = ZoneInfo(zone)
    rings = walk(
        OncePerDay(time(2, 30), tz),
        datetime.combine(start, time(0), tzinfo=tz),
        20,
        timedelta(minutes=10),
    )
    per_day = Counter(ring.astimezone(tz).date() for ring in rings)
    assert len(rings) == 20
    assert set(per_day.values()) == {1}


def test_b9_a_skipped_time_moves_by_the_gap_and_a_doubled_one_is_its_first() -> None:
    """In Berlin 02:30 is skipped on 29 March 2026 and happens twice on 25 October 2026."""
    trigger = OncePerDay(time(2, 30), BERLIN)
    spring = trigger.get_next_fire_time(None, datetime(2026, 3, 29, 0, 0, tzinfo=BERLIN))
    autumn = trigger.get_next_fire_time(None, datetime(2026, 10, 25, 0, 0, tzinfo=BERLIN))
    assert spring is not None
    assert autumn is not None
    assert spring.astimezone(UTC) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert autumn.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_ring_between_the_two_half_past_twos_is_the_only_one_of_that_day() -> None:
    """After the first 02:30 of an autumn night, the second one is not another ring."""
    trigger = OncePerDay(time(2, 30), BERLIN)
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).astimezone(BERLIN)
    later = trigger.get_next_fire_time(first, datetime(2026, 10, 25, 0, 45, tzinfo=UTC))
    assert later == datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)


def bell(rung: list[str]) -> Bell:
    """A bell at 02:30 UTC."""
    return Bell("retrain", OncePerDay(time(2, 30), ZoneInfo("UTC")), lambda: rung.append("rung"))


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, False),
        (datetime(2026, 5, 1, 2, 30, tzinfo=UTC), True),
        (datetime(2026, 5, 4, 2, 31, tzinfo=UTC), False),
        (datetime(2026, 5, 4, 2, 29, tzinfo=UTC), True),
    ],
)
def test_a_bell_is_overdue_when_a_ring_lies_behind(last: datetime | None, expected: bool) -> None:
    """Only a ring that should have happened since the last one makes a bell overdue."""
    now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    assert is_overdue(bell([]), last, now) is expected


def started(rings: MemoryRings, rung: list[str], now: datetime) -> BackgroundScheduler:
    """A paused scheduler with one bell."""
    scheduler = BackgroundScheduler(timezone=UTC)
    hang(scheduler, [bell(rung)], rings, lambda: now)
    scheduler.start(paused=True)
    return scheduler


def test_rings_missed_while_down_happen_once_at_the_start() -> None:
    """After four days away there is one ring, then the ordinary timetable."""
    now = datetime.now(UTC)
    rings, rung = MemoryRings(retrain=now - timedelta(days=4)), list[str]()
    scheduler = started(rings, rung, now)
    try:
        job = scheduler.get_job("retrain")
        assert job.next_run_time == now
        job.func()
        assert rung == ["rung"]
        assert rings.times["retrain"] == now
    finally:
        scheduler.shutdown()
    again = started(rings, rung, now + timedelta(seconds=1))
    try:
        assert again.get_job("retrain").next_run_time > now + timedelta(seconds=1)
    finally:
        again.shutdown()


def test_a_bell_that_never_rang_waits_for_its_time() -> None:
    """A new installation does not start with a training run."""
    now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    rings = MemoryRings()
    scheduler = started(rings, [], now)
    try:
        due = scheduler.get_job("retrain").next_run_time
        assert due == datetime(2026, 5, 5, 2, 30, tzinfo=UTC)
        assert rings.times["retrain"] == now
    finally:
        scheduler.shutdown()


def test_a_ring_that_nobody_heard_is_repeated_soon_and_not_written_down() -> None:
    """With the broker away the bell stays overdue, here and for the next scheduler."""
    now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    rings = MemoryRings(retrain=datetime(2026, 5, 1, tzinfo=UTC))
    heard = [JobsUnavailable("away"), None]
    scheduler = BackgroundScheduler(timezone=UTC)

    def ring() -> None:
        if (error := heard.pop(0)) is not None:
            raise error

    trigger = OncePerDay(time(2, 30), ZoneInfo("UTC"))
    hang(scheduler, [Bell("retrain", trigger, ring)], rings, lambda: now)
    scheduler.start(paused=True)
    try:
        scheduler.get_job("retrain").func()
        assert rings.times["retrain"] == datetime(2026, 5, 1, tzinfo=UTC)
        again = scheduler.get_job("retrain-again")
        assert again.next_run_time == now + timedelta(seconds=30)
        again.func()
        assert rings.times["retrain"] == now
    finally:
        scheduler.shutdown()


def test_the_timetable_follows_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time zone, hour and interval come from the environment."""
    monkeypatch.setenv("SHOPGRAPH_TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("SHOPGRAPH_RETRAIN_AT", "03:15")
    monkeypatch.setenv("SHOPGRAPH_REFRESH_EVERY_S", "600")
    asked: list[str] = []
    table = timetable(
        ScheduleSettings(),
        retrain=lambda: asked.append("retrain"),
        refresh=lambda: asked.append("refresh"),
        measure=lambda: asked.append("quality"),
        retention=lambda: asked.append("retention"),
    )
    now = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    due = {bell.name: bell.trigger.get_next_fire_time(None, now) for bell in table}
    assert due["retrain"] == datetime(2026, 7, 2, 1, 15, tzinfo=UTC)
    assert due["refresh"] == datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert due["quality"] == datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    for bell in table:
        bell.ring()
    assert asked == [bell.name for bell in table]
    assert due["retention"] == datetime(2026, 7, 2, 2, 30, tzinfo=UTC)


def test_an_unknown_time_zone_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the zone."""
    monkeypatch.setenv("SHOPGRAPH_TIMEZONE", "Europe/Atlantis")
    with pytest.raises(ValueError, match="Europe/Atlantis"):
        ScheduleSettings()

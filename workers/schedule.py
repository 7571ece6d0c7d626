"""When which job is asked for: the scheduler rings the bell and does no work itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from graph.errors import GraphError
from workers.errors import WorkersError
from workers.settings import ScheduleSettings

log = structlog.get_logger(__name__)

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
RETRY_S = 30


class OncePerDay(BaseTrigger):  # type: ignore[misc]
    """
    Fires once on every calendar day, at a local time.

    APScheduler's cron trigger fires twice where the clocks go back. Here a time that happens twice
    means its first occurrence, and one that is skipped moves by the length of the gap.
    """

    __slots__ = ("at", "zone")

    def __init__(self, at: time, zone: ZoneInfo) -> None:
        self.at = at.replace(tzinfo=None)
        self.zone = zone

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """The first ring at or after ``now`` and on a later day than the previous one."""
        day = now.astimezone(self.zone).date() - timedelta(days=1)
        if previous_fire_time is not None:
            day = max(day, previous_fire_time.astimezone(self.zone).date() + timedelta(days=1))
        while True:
            local = datetime.combine(day, self.at, tzinfo=self.zone)
            # Going by way of UTC turns a skipped local time into one that exists.
            ring = local.astimezone(UTC).astimezone(self.zone)
            if ring.astimezone(UTC) >= now.astimezone(UTC):
                return ring
            day += timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bell:
    """
    One row of the timetable.

    Attributes:
        name: stable, since the time of the last ring is kept under it.
        ring: asks for the job.
    """

    name: str
    trigger: BaseTrigger
    ring: Callable[[], None]


class Rings(Protocol):
    """Remembers when each bell rang last, beyond the life of this process."""

    def last(self, name: str) -> datetime | None:
        """The last ring, or ``None`` where the bell never rang."""

    def note(self, name: str, at: datetime) -> None:
        """Write a ring down."""


def timetable(
    settings: ScheduleSettings,
    *,
    retrain: Callable[[], None],
    refresh: Callable[[], None],
    measure: Callable[[], None],
    retention: Callable[[], None],
) -> list[Bell]:
    """All periodic jobs."""
    return [
        Bell("retrain", OncePerDay(settings.retrain_at, settings.zone), retrain),
        Bell("refresh", _every(settings.refresh_every_s), refresh),
        Bell("quality", _every(settings.quality_every_s), measure),
        Bell("retention", OncePerDay(settings.retention_at, settings.zone), retention),
    ]


def _every(seconds: int) -> IntervalTrigger:
    return IntervalTrigger(seconds=seconds, start_date=EPOCH, timezone=UTC)


def is_overdue(bell: Bell, last: datetime | None, now: datetime) -> bool:
    """Whether the bell should have rung since its last ring; one that never rang is not overdue."""
    if last is None:
        return False
    due = bell.trigger.get_next_fire_time(None, last + timedelta(microseconds=1))
    return due is not None and due <= now


def hang(
    scheduler: BaseScheduler, bells: Iterable[Bell], rings: Rings, clock: Callable[[], datetime]
) -> None:
    """
    Give the bells to a scheduler; one that was missed while nobody was there rings once, at once.
    """
    for bell in bells:
        now = clock()
        overdue = is_overdue(bell, rings.last(bell.name), now)
        if rings.last(bell.name) is None:
            rings.note(bell.name, now)
        scheduler.add_job(
            _rung(bell, rings, clock, scheduler),
            bell.trigger,
            id=bell.name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            next_run_time=now if overdue else bell.trigger.get_next_fire_time(None, now),
        )
        log.info("bell_hung", bell=bell.name, overdue=overdue)


def _rung(
    bell: Bell, rings: Rings, clock: Callable[[], datetime], scheduler: BaseScheduler
) -> Callable[[], None]:
    def ring() -> None:
        try:
            bell.ring()
            # Only a job that was really asked for counts as rung.
            rings.note(bell.name, clock())
        except (WorkersError, GraphError) as error:
            log.warning("bell_not_heard", bell=bell.name, reason=str(error), retry_s=RETRY_S)
            scheduler.add_job(
                ring,
                DateTrigger(clock() + timedelta(seconds=RETRY_S), timezone=UTC),
                id=f"{bell.name}-again",
                replace_existing=True,
                misfire_grace_time=None,
            )
        else:
            log.info("bell_rung", bell=bell.name)

    return ring

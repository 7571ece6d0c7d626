"""Exactly one scheduler is active, and what was missed while none was happens once."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis
from apscheduler.triggers.interval import IntervalTrigger

from graph import training_runs
from graph.client import Graph
from graph.domain.models import RunState
from workers.commands.scheduler import bells, keep_ringing, stand_by
from workers.errors import JobsUnavailable
from workers.jobs import Jobs
from workers.rings import StoredRings
from workers.schedule import EPOCH, Bell
from workers.settings import ScheduleSettings


@pytest.fixture
def settings() -> ScheduleSettings:
    """A scheduler that is replaced soon."""
    return ScheduleSettings(schedule_lease_ttl_s=1.5)


def until(is_so: Callable[[], bool], *, within_s: float = 15.0) -> None:
    """Wait for something."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def hourly(name: str, heard: list[str], by: str) -> Bell:
    """A bell that rings every hour."""
    trigger = IntervalTrigger(hours=1, start_date=EPOCH, timezone=UTC)
    return Bell(name, trigger, lambda: heard.append(by))


def test_one_scheduler_rings_and_the_other_takes_over_when_it_is_gone(
    graph: Graph, redis_url: str, settings: ScheduleSettings
) -> None:
    """The ring that was missed happens once, not once per scheduler."""
    heard: list[str] = []
    rings = StoredRings(redis_url)
    rings.note("retrain", datetime.now(UTC) - timedelta(days=3))
    stops = {name: threading.Event() for name in ("first", "second")}
    threads = {
        name: threading.Thread(
            target=keep_ringing,
            args=(graph, settings, [hourly("retrain", heard, name)], rings, stop),
        )
        for name, stop in stops.items()
    }
    try:
        threads["first"].start()
        until(lambda: heard == ["first"])
        threads["second"].start()
        time.sleep(2.5)
        assert heard == ["first"]
        rings.note("retrain", datetime.now(UTC) - timedelta(days=3))
        stops["first"].set()
        until(lambda: heard == ["first", "second"])
    finally:
        for name, stop in stops.items():
            stop.set()
            if threads[name].is_alive():
                threads[name].join()
        rings.close()


def test_a_scheduler_that_stands_by_ends_when_told(
    graph: Graph, settings: ScheduleSettings
) -> None:
    """Waiting for a lease is no reason not to stop."""
    stop = threading.Event()
    assert stand_by(graph, "active", 60.0, stop) is not None
    waiting = threading.Thread(target=stand_by, args=(graph, "waiting", 1.0, stop))
    waiting.start()
    stop.set()
    waiting.join(timeout=5)
    assert not waiting.is_alive()


def test_the_nightly_bell_asks_for_a_run_and_the_other_one_for_a_refresh(
    graph: Graph, redis_url: str, settings: ScheduleSettings
) -> None:
    """A run is written down and both jobs wait on the training queue; a second ring adds no run."""
    table = {bell.name: bell for bell in bells(graph, Jobs(redis_url), settings)}
    table["retrain"].ring()
    table["retrain"].ring()
    table["refresh"].ring()
    runs = graph.read(training_runs.latest, 10)
    assert [run.state for run in runs] == [RunState.QUEUED]
    with redis.Redis.from_url(redis_url) as broker:
        assert broker.llen("training") == 2


def test_with_the_broker_away_nothing_is_left_waiting_for_ever(
    graph: Graph, settings: ScheduleSettings
) -> None:
    """The run that could not be enqueued is closed, so that the next one can be asked for."""
    table = {bell.name: bell for bell in bells(graph, Jobs("redis://127.0.0.1:1/0"), settings)}
    with pytest.raises(JobsUnavailable):
        table["retrain"].ring()
    assert [run.state for run in graph.read(training_runs.latest, 10)] == [RunState.FAILED]
    with pytest.raises(JobsUnavailable):
        table["refresh"].ring()

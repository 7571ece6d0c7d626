"""``shopgraph scheduler``: rings the bell for the periodic jobs; exactly one is active."""

import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import click
import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from graph import leases
from graph.client import Graph
from graph.domain.models import Profile
from graph.errors import GraphUnavailable
from graph.leases import Lease
from workers import logs
from workers.connectors import job as connectors
from workers.connectors.settings import ConnectorSettings
from workers.errors import JobsUnavailable
from workers.jobs import Jobs
from workers.leases import HeldLease, now_ms
from workers.rings import StoredRings
from workers.runs import request
from workers.schedule import Bell, hang, timetable
from workers.settings import ScheduleSettings, WorkerSettings

log = structlog.get_logger(__name__)

LEASE = "scheduler"


@click.command()
def scheduler() -> None:
    """Ring the bell for nightly training, refresh and quality reports, until it is told to end."""
    logs.configure()
    settings = WorkerSettings.read()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    graph, jobs = Graph(settings.graph), Jobs(settings.jobs.broker_url)
    rings = StoredRings(settings.jobs.broker_url)
    try:
        keep_ringing(graph, settings.schedule, bells(graph, jobs, settings.schedule), rings, stop)
    finally:
        rings.close()
        graph.close()


def bells(graph: Graph, jobs: Jobs, settings: ScheduleSettings) -> list[Bell]:
    """The timetable, wired to the queue."""

    def retrain() -> None:
        run, is_new = request(graph, jobs, profile=Profile.FUSION, options={})
        log.info("retrain_asked", run_id=run.run_id, is_new=is_new)

    def refresh() -> None:
        jobs.refresh(expires_s=settings.refresh_every_s)

    def measure() -> None:
        jobs.measure(expires_s=settings.quality_every_s)

    table = timetable(
        settings, retrain=retrain, refresh=refresh, measure=measure, retention=jobs.retention
    )
    return table + connectors.bells(jobs, ConnectorSettings())


def keep_ringing(
    graph: Graph,
    settings: ScheduleSettings,
    timetable: list[Bell],
    rings: StoredRings,
    stop: threading.Event,
) -> None:
    """Be the active scheduler, or stand by until the active one is gone; ends with ``stop``."""
    name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    while not stop.is_set():
        lease = stand_by(graph, name, settings.schedule_lease_ttl_s, stop)
        if lease is None:
            return
        with HeldLease(graph, lease, ttl_s=settings.schedule_lease_ttl_s) as held:
            _ring_while(timetable, rings, lambda: stop.is_set() or held.is_lost, stop)


def stand_by(graph: Graph, owner: str, ttl_s: float, stop: threading.Event) -> Lease | None:
    """Wait until nobody else is active; ``None`` when told to end before."""
    is_said = False
    while not stop.is_set():
        try:
            lease = graph.write(
                leases.acquire, LEASE, owner, now_ms=now_ms(), ttl_ms=int(ttl_s * 1000)
            )
        except GraphUnavailable:
            lease = None
        if lease is not None:
            log.info("scheduler_active", fence=lease.fence)
            return lease
        if not is_said:
            log.info("scheduler_stands_by")
            is_said = True
        stop.wait(ttl_s / 3)
    return None


def _ring_while(
    timetable: list[Bell],
    rings: StoredRings,
    is_over: Callable[[], bool],
    stop: threading.Event,
) -> None:
    ringing = BackgroundScheduler(timezone=UTC)
    while not is_over():
        try:
            hang(ringing, timetable, rings, lambda: datetime.now(UTC))
            break
        except JobsUnavailable as error:
            log.warning("bells_not_hung", reason=str(error))
            ringing.remove_all_jobs()
            stop.wait(2.0)
    ringing.start()
    try:
        while not is_over():
            stop.wait(0.5)
    finally:
        ringing.shutdown(wait=True)

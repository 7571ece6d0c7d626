"""The job that runs a connector, and the bells that ask for it."""

from collections.abc import Callable
from datetime import UTC
from functools import partial

import structlog
from apscheduler.triggers.interval import IntervalTrigger
from celery import Task, shared_task

from graph.errors import GraphUnavailable
from workers.connectors import registry
from workers.connectors.running import pull_if_due
from workers.connectors.settings import ConnectorSettings
from workers.intake.errors import StreamUnavailable
from workers.intake.settings import IntakeSettings
from workers.jobs import PULL, Jobs
from workers.schedule import EPOCH, Bell
from workers.wiring import parts

log = structlog.get_logger(__name__)


@shared_task(name=PULL, bind=True)
def run(self: "Task[..., None]", name: str) -> None:
    """Bring in what a platform changed; safe to run twice, and the next bell tries again."""
    # Read here, since workers of other queues need no keys.
    settings, intake = ConnectorSettings(), IntakeSettings()
    try:
        pull_if_due(name, parts(self.app).graph, settings, intake)
    except (GraphUnavailable, StreamUnavailable) as error:
        log.warning("connector_not_pulled", connector=name, reason=str(error))


def bells(jobs: Jobs, settings: ConnectorSettings) -> list[Bell]:
    """One bell for each connector that is set up."""
    every = IntervalTrigger(seconds=settings.pull_every_s, start_date=EPOCH, timezone=UTC)

    def ring(name: str) -> Callable[[], None]:
        return partial(jobs.pull, name, expires_s=settings.pull_every_s)

    return [Bell(f"pull-{name}", every, ring(name)) for name in registry.set_up(settings)]

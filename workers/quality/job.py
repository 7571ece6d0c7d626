"""The hourly report on the data; the previous one stands when a store is away."""

import structlog
from celery import Task, shared_task

from graph.errors import GraphUnavailable
from workers.intake.errors import StreamUnavailable
from workers.jobs import MEASURE
from workers.leases import now_ms
from workers.quality.monitor import look
from workers.quality.settings import QualitySettings
from workers.wiring import parts

log = structlog.get_logger(__name__)

RETRY_S = 30


@shared_task(name=MEASURE, bind=True, max_retries=3)
def run(self: "Task[..., None]") -> None:
    """Make a report and keep it; each one is as of its own moment, so running twice is harmless."""
    wired = parts(self.app)
    try:
        look(wired.graph, wired.settings.broker_url, QualitySettings(), as_of_ms=now_ms())
    except (GraphUnavailable, StreamUnavailable) as error:
        raise self.retry(countdown=RETRY_S, exc=error) from error

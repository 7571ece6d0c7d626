"""The nightly job of privacy: what is too old goes, erasures that were cut short are ended."""

from celery import Task, shared_task

from graph.errors import GraphUnavailable
from workers.intake.deadletters import DeadLetters
from workers.intake.errors import StreamUnavailable
from workers.intake.settings import IntakeSettings
from workers.jobs import RETENTION
from workers.privacy.build import erasures_of
from workers.privacy.retention import Retention
from workers.privacy.settings import PrivacySettings
from workers.wiring import parts


@shared_task(name=RETENTION, bind=True, max_retries=3)
def run(self: "Task[..., None]") -> None:
    """Take away what is too old, and go on with erasures; safe to run twice."""
    wired = parts(self.app)
    graph, settings, intake = wired.graph, wired.settings, IntakeSettings()
    store = settings.model_store
    try:
        erasures_of(graph, intake.redis_url, intake.pseudonyms(), store).resume()
        letters = DeadLetters(intake.redis_url, intake.keeping())
        Retention(graph, letters, store, PrivacySettings()).run(by="schedule")
    except (GraphUnavailable, StreamUnavailable) as error:
        raise self.retry(countdown=60, exc=error) from error

"""Puts the worker application together."""

import importlib
import importlib.util
from typing import Any

from celery.signals import setup_logging, worker_init

from workers import logs
from workers.errors import TrainExtraMissing
from workers.jobs import DEFAULT_QUEUE, ROUTES, TRAINING_QUEUE
from workers.wiring import Parts, Worker

# These bring torch with them: hundreds of megabytes that the other queues have no use for.
_TRAINING_MODULES = ("workers.training", "workers.refresh")

_DEFAULT_MODULES = ("workers.connectors.job", "workers.privacy.jobs", "workers.quality.job")


def create_worker(broker_url: str, *, parts: Parts) -> Worker:
    """Configure Celery and hand the parts to the jobs; opens no connection of its own."""
    app = Worker("shopgraph", broker=broker_url)
    app.parts = parts
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_serializer="json",
        task_ignore_result=True,
        task_default_queue=DEFAULT_QUEUE,
        task_routes=ROUTES,
        # A job is given back when its worker dies; leases make a second copy harmless.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=20,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": parts.settings.visibility_timeout_s},
        timezone="UTC",
        enable_utc=True,
    )
    return app


def load_jobs(queues: set[str]) -> None:
    """
    Import the jobs of the queues that a worker serves.

    Raises:
        TrainExtraMissing: it should train, and torch is not installed.
    """
    if TRAINING_QUEUE in queues and importlib.util.find_spec("torch") is None:
        raise TrainExtraMissing(
            "this worker serves the training queue, and torch is not installed:"
            " pip install 'shopgraph[train]', or leave the queue out"
        )
    modules = _TRAINING_MODULES if TRAINING_QUEUE in queues else ()
    for module in modules + (_DEFAULT_MODULES if DEFAULT_QUEUE in queues else ()):
        importlib.import_module(module)


@worker_init.connect
def _on_start(sender: Any, **_: Any) -> None:
    try:
        load_jobs(set(sender.app.amqp.queues))
    except TrainExtraMissing as error:
        raise SystemExit(str(error)) from error


@setup_logging.connect
def _on_logging(**_: Any) -> None:
    logs.configure()

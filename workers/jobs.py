"""The workers' front door: the names of the jobs, and how to ask for one."""

from typing import Any

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from workers.errors import JobsUnavailable

TRAIN = "training.run"
REFRESH = "embeddings.refresh"
MEASURE = "quality.measure"
PULL = "connector.pull"
RETENTION = "privacy.retention"
DEFAULT_QUEUE = "default"
TRAINING_QUEUE = "training"
# Both need torch, which only the workers of this queue are sure to have.
ROUTES = {TRAIN: {"queue": TRAINING_QUEUE}, REFRESH: {"queue": TRAINING_QUEUE}}

# A caller waits for a request's answer, so it hears soon that the broker is away.
_PATIENCE = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.1, "interval_max": 0.2}
_AWAY = (KombuError, RedisError, OSError)
_TRANSPORT = {"socket_timeout": 3.0, "socket_connect_timeout": 2.0}


class Jobs:
    """Asks for jobs by name; knows nothing of their code."""

    def __init__(self, broker_url: str) -> None:
        self._app = Celery("shopgraph.jobs", broker=broker_url, set_as_current=False)
        self._app.conf.update(
            task_serializer="json",
            accept_content=["json"],
            task_default_queue=DEFAULT_QUEUE,
            task_routes=ROUTES,
            task_ignore_result=True,
            broker_transport_options=_TRANSPORT,
            broker_connection_timeout=2.0,
        )

    def train(self, run_id: str, options: dict[str, Any] | None = None) -> None:
        """
        Ask for a training run that is already written down as requested.

        Raises:
            JobsUnavailable: the broker is away; nothing was asked for.
        """
        self._send(TRAIN, run_id, options or {})

    def refresh(self, *, expires_s: float | None = None) -> None:
        """
        Ask for new vectors of people with new events; raises as ``train``.

        Args:
            expires_s: a worker that is free only later than this need not bother.
        """
        self._send(REFRESH, expires_s=expires_s)

    def measure(self, *, expires_s: float | None = None) -> None:
        """Ask for a report on the quality of the data; arguments and errors as ``refresh``."""
        self._send(MEASURE, expires_s=expires_s)

    def pull(self, name: str, *, expires_s: float | None = None) -> None:
        """Ask for what a platform changed since the last time; arguments as ``refresh``."""
        self._send(PULL, name, expires_s=expires_s)

    def retention(self) -> None:
        """Ask for a pass over what is too old; raises as ``train``."""
        self._send(RETENTION)

    def ping(self) -> None:
        """Ask the broker for a sign of life; raises ``JobsUnavailable``."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=3)
        except _AWAY as error:
            raise JobsUnavailable("the broker does not answer") from error

    def trainers(self, *, timeout_s: float = 1.0) -> list[str]:
        """Names of the workers that listen to the training queue right now."""
        try:
            answers = self._app.control.inspect(timeout=timeout_s).active_queues() or {}
        except _AWAY as error:
            raise JobsUnavailable("the broker does not answer") from error
        return sorted(
            worker
            for worker, queues in answers.items()
            if any(queue["name"] == TRAINING_QUEUE for queue in queues)
        )

    def _send(self, name: str, *args: Any, expires_s: float | None = None) -> None:
        try:
            self._app.send_task(
                name, args=args, retry=True, retry_policy=_PATIENCE, expires=expires_s
            )
        except _AWAY as error:
            raise JobsUnavailable("the broker does not answer; nothing was enqueued") from error

"""
A client for servers that send events to Shopgraph; needs nothing but Python's own library.

Events get an id before the first try and keep it, so that sending again stores nothing twice.
"""

import http.client
import json
import random
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

BATCH = 100
BATCH_BYTES = 900_000  # the API takes 1 MiB
RETRIED = frozenset({0, 408, 429, 500, 502, 503, 504})


class NotSent(Exception):
    """
    Not all events were taken.

    Attributes:
        rows: what became of those that were, in order.
        left: the others, with their ids and times; sending these again stores nothing twice.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.rows: list[dict[str, Any]] = []
        self.left: list[dict[str, Any]] = []


class EventsRefused(NotSent):
    """The API refused a whole request, and would again; ``code`` says why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code = status, code


class Away(NotSent):
    """The API did not answer, or asked to wait, for longer than the client's patience."""


class Shopgraph:
    """Sends events, in batches, until the API has them on disk."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience_s: float = 300.0,
        timeout_s: float = 15.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            key: of scope ``server``.
            patience_s: how long one batch is tried before ``Away`` is raised.
        """
        self._url, self._key = url.rstrip("/") + "/v1/events", key
        self._patience_s, self._timeout_s, self._sleep = patience_s, timeout_s, sleep

    def send(self, events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """
        Send events; returns what became of each, in order.

        ``event_id`` and ``event_time`` are filled in where they are missing.

        Raises:
            EventsRefused: the key or the request is wrong; trying again would not help.
            Away: the API stayed away for longer than ``patience_s``.
        """
        complete = [_complete(event) for event in events]
        rows: list[dict[str, Any]] = []
        for batch in _batches(complete):
            try:
                rows += self._deliver(batch)
            except NotSent as error:
                error.rows, error.left = rows, complete[len(rows) :]
                raise
        return rows

    def _deliver(self, batch: list[str]) -> list[dict[str, Any]]:
        give_up_at, pause_s = time.monotonic() + self._patience_s, 0.5
        while True:
            status, answer, retry_after_s = self._post(batch)
            rows = answer.get("rows")
            if isinstance(rows, list) and len(rows) == len(batch):
                return rows  # a verdict on each, be the status 202, 413 or 422
            if status not in RETRIED:
                raise EventsRefused(status, answer.get("code", ""), answer.get("message", ""))
            wait_s = max(retry_after_s, pause_s) * random.uniform(1.0, 1.5)
            if time.monotonic() + wait_s > give_up_at:
                raise Away(f"the API did not take the events (last status {status})")
            self._sleep(wait_s)
            pause_s = min(60.0, pause_s * 2)

    def _post(self, batch: list[str]) -> tuple[int, dict[str, Any], float]:
        """Status (0: nobody answered), answer, and the seconds that it asks to wait."""
        body = f'{{"sent_at": "{_now()}", "events": [{",".join(batch)}]}}'.encode()
        headers = {"X-API-Key": self._key, "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                return answer.status, _json(answer.read()), 0.0
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _json(error.read()), _seconds(error.headers.get("Retry-After"))
        except (OSError, http.client.HTTPException):
            return 0, {}, 0.0


def _batches(events: list[dict[str, Any]]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in (json.dumps(event, allow_nan=False) for event in events):
        if batch and (len(batch) == BATCH or size + len(text) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _complete(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"event_id": str(uuid.uuid4()), "event_time": _now(), **event}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() else 0.0


def _json(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}

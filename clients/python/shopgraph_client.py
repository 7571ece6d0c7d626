"""
A client for servers that send events to Shopgraph; needs nothing but Python's own library.

Events get an id before the first try and keep it, so that sending again stores nothing twice.
"""

import json
import random
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

BATCH = 100
RETRIED = frozenset({429, 500, 502, 503, 504})


class EventsRefused(Exception):
    """The API refused a whole request, and would again; ``code`` says why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code = status, code


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
            patience_s: how long one batch is tried before ``TimeoutError`` is raised.
        """
        self._url, self._key = url.rstrip("/") + "/v1/events", key
        self._patience_s, self._timeout_s, self._sleep = patience_s, timeout_s, sleep

    def send(self, events: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """
        Send events; yields what became of each, in order.

        ``event_id`` and ``event_time`` are filled in where they are missing.

        Raises:
            EventsRefused: the key or the request is wrong; trying again would not help.
            TimeoutError: the API stayed away for longer than ``patience_s``.
        """
        source = iter(events)
        while batch := [_complete(event) for event in islice(source, BATCH)]:
            yield from self._deliver(batch)

    def _deliver(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        give_up_at, pause_s = time.monotonic() + self._patience_s, 0.5
        while True:
            status, answer, retry_after_s = self._post(batch)
            if status == 202 or (status == 422 and "rows" in answer):
                rows: list[dict[str, Any]] = answer["rows"]
                return rows
            if status not in RETRIED and status != 0:
                raise EventsRefused(status, answer.get("code", ""), answer.get("message", ""))
            wait_s = max(retry_after_s, pause_s * random.uniform(0.5, 1.0))
            if time.monotonic() + wait_s > give_up_at:
                raise TimeoutError(f"the API did not take the events (last status {status})")
            self._sleep(wait_s)
            pause_s = min(60.0, pause_s * 2)

    def _post(self, batch: list[dict[str, Any]]) -> tuple[int, dict[str, Any], float]:
        """Status (0: nobody answered), answer, and the seconds that it asks to wait."""
        body = json.dumps({"sent_at": _now(), "events": batch}, allow_nan=False).encode()
        headers = {"X-API-Key": self._key, "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                return answer.status, json.load(answer), 0.0
        except urllib.error.HTTPError as error:
            return error.code, _json(error), _seconds(error.headers.get("Retry-After"))
        except (OSError, ValueError):
            return 0, {}, 0.0


def _complete(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"event_id": str(uuid.uuid4()), "event_time": _now(), **event}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() else 0.0


def _json(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        told = json.load(error)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}

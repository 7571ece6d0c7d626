"""Every call has an id, is counted and timed; failures leave a line in the log."""

import re
import time
import uuid

import structlog
from flask import Flask, Response, g, request

from backend.metrics import metrics

log = structlog.get_logger(__name__)

_GOOD_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def init_app(app: Flask) -> None:
    """Follow each call from the first to the last step."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.started = time.perf_counter()
    asked = request.headers.get("X-Request-ID", "")
    g.request_id = asked if _GOOD_ID.fullmatch(asked) else uuid.uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    # The route and not the path: a path may hold what a client typed.
    route = request.url_rule.rule if request.url_rule is not None else "unknown"
    counted = metrics()
    counted.requests.labels(request.method, route, response.status_code).inc()
    counted.seconds.labels(request.method, route).observe(seconds)
    if (level := g.get("level")) is not None:
        counted.list_seconds.labels(route, level).observe(seconds)
    if response.status_code >= 500:
        log.warning(
            "request_answered",
            method=request.method,
            route=route,
            status=response.status_code,
            duration_ms=round(seconds * 1000, 1),
        )
    response.headers["X-Request-ID"] = g.get("request_id", "")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    return response

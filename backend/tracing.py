"""Every call has an id, is counted and timed; failures leave a line in the log."""

import re
import time
from secrets import token_hex

import structlog
from flask import Flask, Response, g, request

from backend.metrics import metrics

log = structlog.get_logger(__name__)

ALWAYS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""Headers of every answer, where a view says nothing else."""

_GOOD_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def init_app(app: Flask) -> None:
    """Follow each call from the first to the last step."""
    app.before_request(_begin)
    app.after_request(_end)


def begin(asked: str | None) -> str:
    """The id of a call, the client's own where it has a good one; all its log lines carry it."""
    request_id = asked if asked and _GOOD_ID.fullmatch(asked) else token_hex(16)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    return request_id


def _begin() -> None:
    g.started = time.perf_counter()
    g.request_id = begin(request.headers.get("X-Request-ID"))


def _end(response: Response) -> Response:
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    # The route and not the path: a path may hold what a client typed.
    route = request.url_rule.rule if request.url_rule is not None else "unknown"
    metrics().answered(request.method, route, response.status_code, seconds, g.get("level"))
    if response.status_code >= 500:
        log.warning(
            "request_answered",
            method=request.method,
            route=route,
            status=response.status_code,
            duration_ms=round(seconds * 1000, 1),
        )
    response.headers["X-Request-ID"] = g.get("request_id", "")
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    return response

"""
What can go wrong on the web floor, and how every error looks from outside.

WebError
├── KeyMissing, KeyWrong          401: no key, or one we do not know
├── WebhookRefused                401: a delivery without a good signature of this moment
├── ScopeTooSmall, OriginRefused  403: a key for something else, or a page from elsewhere
├── BodyUnreadable                400: not JSON, not gzip, or nothing at all
├── BodyTooLarge                  413: more bytes or rows than a request may have
├── Invalid                       422: well formed, but not what the call takes
└── Conflict                      409: it cannot be done as things stand
    └── Erased                    409: the person was erased, and has not agreed anew
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import structlog
from flask import Flask, Response, g
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from backend.answers import json_answer
from backend.metrics import metrics
from graph.errors import (
    GraphUnavailable,
    SchemaMissing,
    UnknownCampaign,
    UnknownModel,
    UnknownReceipt,
    UnknownReport,
    UnknownRun,
)
from workers.errors import JobsUnavailable
from workers.intake.errors import QuotaExceeded, StreamUnavailable, UnknownDeadLetter

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 2


class WebError(Exception):
    """Anything that the web floor refuses; knows its own code and sentence."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.told_code = code or self.code


class KeyMissing(WebError):
    """The call needs a key and has none."""

    status, code = 401, "key_missing"


class KeyWrong(WebError):
    """The key is not one of ours."""

    status, code = 401, "key_wrong"


class WebhookRefused(WebError):
    """A delivery is not signed as it should be, or too old."""

    status, code = 401, "signature_wrong"


class ScopeTooSmall(WebError):
    """The key may do other things, but not this."""

    status, code = 403, "scope_too_small"


class OriginRefused(WebError):
    """A page of an origin outside the list sent the call."""

    status, code = 403, "origin_refused"


class BodyUnreadable(WebError):
    """The body is empty or not what it says it is."""

    status, code = 400, "body_unreadable"


class BodyTooLarge(WebError):
    """The body has too many bytes or rows."""

    status, code = 413, "body_too_large"


class Invalid(WebError):
    """The call is well formed but asks for something that cannot be."""

    status, code = 422, "invalid"


class Conflict(WebError):
    """The call cannot be done as things stand."""

    status, code = 409, "conflict"


class Erased(Conflict):
    """The call is about somebody who was erased."""

    code = "erased"


@dataclass(frozen=True, slots=True)
class Told:
    """What a client is told about an error of another floor."""

    status: int
    code: str
    message: str


TABLE: dict[type[Exception], Told] = {
    GraphUnavailable: Told(503, "graph_unavailable", "the graph is away; try again"),
    StreamUnavailable: Told(
        503, "stream_unavailable", "the stream is away, and nothing was stored; try again"
    ),
    QuotaExceeded: Told(429, "quota_exceeded", "this key has sent as much as it may for now"),
    UnknownDeadLetter: Told(404, "unknown_dead_letter", "no dead letter has that id"),
    JobsUnavailable: Told(503, "broker_unavailable", "the job queue is away; try again"),
    SchemaMissing: Told(503, "schema_missing", "the graph has not been migrated yet"),
    UnknownCampaign: Told(404, "unknown_campaign", "no campaign has that id"),
    UnknownModel: Told(404, "unknown_model", "no model has that version"),
    UnknownReceipt: Told(404, "unknown_receipt", "no erasure has that receipt"),
    UnknownReport: Told(404, "unknown_report", "no quality report has that id"),
    UnknownRun: Told(404, "unknown_run", "no training run has that id"),
}
"""From an error of the floors below to an answer; what is not here is a fault of ours."""

_STABLE_CODES = frozenset(
    (
        "invalid_id",
        "id_too_long",
        "invalid_text",
        "invalid_time",
        "time_without_zone",
        "time_out_of_range",
        "invalid_money",
    )
)
"""Codes that a rule of ours gave already; pydantic's own kinds become one of a few."""

_MONEY = frozenset(("price_minor", "amount_minor", "cost_minor", "budget_minor", "currency"))

_HTTP_CODES = {
    400: ("bad_request", "the request cannot be read"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take that method"),
    413: ("body_too_large", "the body is too large"),
    415: ("unsupported_media_type", "the body must be JSON"),
}


def init_app(app: Flask) -> None:
    """Answer every error with the one error body."""
    for kind, told in TABLE.items():
        app.register_error_handler(kind, _teller(told))
    app.register_error_handler(WebError, _web_error)
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _fault)


def error_body(code: str, message: str, field: str | None) -> dict[str, str | None]:
    """The one error body."""
    return {
        "code": code,
        "message": message,
        "field": field,
        "request_id": g.get("request_id"),
    }


def code_of(error: ValidationError) -> tuple[str, str, str]:
    """Code, sentence and field of the first fault that pydantic found; never the value."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"] if not str(part).startswith("function-"))
    kind = first["type"]
    if kind == "missing":
        return "missing_field", "a required field is missing", field
    message = str(first["msg"]).removeprefix("Value error, ")
    if kind in _STABLE_CODES:
        return kind, message, field
    if kind == "extra_forbidden":
        return "unknown_field", "there is no such field", field
    if field.rpartition(".")[2] in _MONEY:
        return "invalid_money", message, field
    if kind.startswith(("greater_than", "less_than", "too_", "string_too")):
        return "out_of_range", message, field
    return "invalid_type", message, field


def _answer(
    status: int, code: str, message: str, field: str | None = None, *, wait_s: int = RETRY_AFTER_S
) -> Response:
    response = json_answer(error_body(code, message, field), status=status)
    if status in (429, 503):
        response.headers["Retry-After"] = str(wait_s)
    return response


def _web_error(error: WebError) -> Response:
    return _answer(error.status, error.told_code, error.message, error.field)


def _teller(told: Told) -> Callable[[Exception], Response]:
    def tell(error: Exception) -> Response:
        log.warning("request_failed", code=told.code, error=type(error).__name__)
        if told.status == 429:
            metrics().quotas_exceeded.inc()
        wait_s = getattr(error, "retry_after_s", RETRY_AFTER_S)
        return _answer(told.status, told.code, told.message, wait_s=wait_s)

    return tell


def _invalid(error: ValidationError) -> Response:
    code, message, field = code_of(error)
    return _answer(422, code, message, field or None)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        response = error.get_response()
        assert isinstance(response, Response)
        return response
    code, message = _HTTP_CODES.get(status, ("http_error", "the request cannot be answered"))
    answer = _answer(status, code, message)
    allowed = dict(error.get_headers()).get("Allow")
    if allowed:
        answer.headers["Allow"] = allowed
    return answer


def _fault(error: Exception) -> Response:
    # Places only: the message of an exception may hold what a client sent.
    places = [
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-8:]
    ]
    log.error("request_broke", error=type(error).__name__, places=places)
    return _answer(500, "internal_error", "something broke on our side")

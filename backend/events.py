"""Where behaviour comes in."""

from collections import Counter
from typing import Any

from flask import Response, g, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, RootModel

from backend.answers import json_answer
from backend.auth import Scope, requires
from backend.documentation import ErrorOut
from backend.envelopes import key_in_envelope, posted
from backend.errors import error_body
from backend.metrics import metrics
from backend.parsing import takes_rows
from backend.wiring import clock_ms, parts
from workers.intake.rows import Caller, RowResult, Status
from workers.intake.schema import EventIn, Time

bp = APIBlueprint("events", __name__, abp_tags=[Tag(name="Events")], abp_security=[{"key": []}])

_TAKEN = (Status.ACCEPTED, Status.DUPLICATE, Status.QUARANTINED)


class EnvelopeIn(BaseModel):
    """Events of a tracker, with what a beacon cannot say in headers."""

    key: str | None = Field(default=None, description="counts where no header holds a key")
    sent_at: Time | None = Field(default=None, description="for rows that have none")
    dropped: int = Field(default=0, ge=0, description="events dropped since this was last said")
    events: list[EventIn]


class EventsIn(RootModel[EventIn | list[EventIn] | EnvelopeIn]):
    """One event, a list of up to 500, or an envelope with such a list."""


class FaultOut(BaseModel):
    """One thing wrong with a row."""

    code: str
    field: str | None


class RowOut(BaseModel):
    """What became of one row."""

    index: int
    event_id: str | None
    status: Status
    code: str | None = Field(default=None, description="why it was not taken")
    field: str | None = None
    faults: list[FaultOut] | None = Field(default=None, description="all faults, if several")
    flags: list[str] | None = Field(
        default=None, description="skew_corrected, future_clamped, late, bot"
    )


class EventsOut(BaseModel):
    """What became of each row, in the order in which they came."""

    request_id: str
    accepted: int
    duplicate: int
    conflict: int
    quarantined: int
    rejected: int
    dropped: int | None = Field(default=None, description="as told in the envelope, and counted")
    rows: list[RowOut]


@bp.post("/v1/events", responses={202: EventsOut, 422: EventsOut, 429: ErrorOut})
@requires(Scope.BROWSER, key_in_body=key_in_envelope)
@takes_rows(EventsIn)
def post_events() -> Response:
    """Record what shoppers do.

    One event or a list of up to 500, as JSON or as one object a line (``application/x-ndjson``);
    or a tracker's envelope, also as ``text/plain``; packed with gzip or not. 202 means that the
    accepted rows are on disk; a faulty row is refused alone.
    """
    sent = posted()
    results = parts().intake.take(
        sent.rows.values,
        Caller(g.key_name, g.key_scope is Scope.BROWSER, request.headers.get("User-Agent")),
        received_ms=clock_ms(),
        body_bytes=sent.rows.body_bytes,
    )
    # Counted once the events are taken: a refused request is sent again, with the same number.
    dropped = sent.dropped + _dropped(sent.rows.values, results)
    if dropped:
        metrics().tracker_dropped.inc(dropped)
    return answer_rows(results, dropped)


def answer_rows(results: list[RowResult], dropped: int = 0) -> Response:
    """
    What became of each row, and counted.

    Returns:
        202 where any was taken, 413 or 422 where none was.
    """
    counts = _count(results)
    body: dict[str, Any] = {
        "request_id": g.request_id,
        **{status.value: counts[status] for status in Status},
        "rows": [result.as_json() for result in results],
    }
    if dropped:
        body["dropped"] = dropped
    if not results or any(counts[status] for status in _TAKEN):
        return json_answer(body, status=202)
    codes = {result.code for result in results}
    if codes == {"row_too_large"}:
        return json_answer({**body, **error_body("row_too_large", _TOO_LARGE, None)}, status=413)
    first = results[0]
    told = error_body(first.code or first.status.value, "no row could be taken", first.field)
    return json_answer({**body, **told}, status=422)


def _dropped(rows: list[Any], results: list[RowResult]) -> int:
    """What rows say was dropped for them; a repeat says it in vain."""
    return sum(
        row["dropped"]
        for row, result in zip(rows, results, strict=True)
        if result.status not in _REPEATED
        and isinstance(row, dict)
        and type(row.get("dropped")) is int
        and 0 < row["dropped"] <= _DROPPED_AT_MOST
    )


_REPEATED = (Status.DUPLICATE, Status.CONFLICT)
_DROPPED_AT_MOST = 10**6


def _count(results: list[RowResult]) -> Counter[Status]:
    counts = Counter(result.status for result in results)
    counted = metrics()
    for status, count in counts.items():
        counted.events.labels(status.value).inc(count)
    for result in results:
        if result.code is not None:
            counted.rows_refused.labels(result.code).inc()
        for flag in result.flags:
            counted.flags.labels(flag).inc()
    return counts


_TOO_LARGE = "a row may have 64 KiB"

"""Where behaviour comes in."""

from collections import Counter
from typing import Any

from flask import Response, g
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, RootModel

from backend.answers import json_answer
from backend.auth import Scope, requires
from backend.bodies import read_rows
from backend.errors import error_body
from backend.metrics import metrics
from backend.parsing import takes_rows
from backend.wiring import clock_ms, parts
from workers.intake.rows import RowResult, Status
from workers.intake.schema import EventIn

bp = APIBlueprint("events", __name__, abp_tags=[Tag(name="Events")], abp_security=[{"key": []}])

_TAKEN = (Status.ACCEPTED, Status.DUPLICATE, Status.QUARANTINED)


class EventsIn(RootModel[EventIn | list[EventIn]]):
    """One event, or a list of up to 500."""


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


class EventsOut(BaseModel):
    """What became of each row, in the order in which they came."""

    request_id: str
    accepted: int
    duplicate: int
    conflict: int
    quarantined: int
    rejected: int
    rows: list[RowOut]


@bp.post("/v1/events", responses={202: EventsOut, 422: EventsOut})
@requires(Scope.BROWSER)
@takes_rows(EventsIn)
def post_events() -> Response:
    """Record what shoppers do.

    One event or a list of up to 500, as JSON or as one object a line (``application/x-ndjson``).
    202 means that the accepted rows are on disk; a faulty row is refused alone.
    """
    rows = read_rows()
    parts_ = parts()
    checked = parts_.door.check(
        rows.values,
        default_source=g.key_name,
        received_ms=clock_ms(),
        body_bytes=rows.body_bytes,
    )
    return _answer(parts_.stream.accept(checked))


def _answer(results: list[RowResult]) -> Response:
    counts = Counter(result.status for result in results)
    for status, count in counts.items():
        metrics().events.labels(status.value).inc(count)
    body: dict[str, Any] = {
        "request_id": g.request_id,
        **{status.value: counts[status] for status in Status},
        "rows": [result.as_json() for result in results],
    }
    if any(counts[status] for status in _TAKEN):
        return json_answer(body, status=202)
    codes = {result.code for result in results}
    if codes == {"row_too_large"}:
        return json_answer({**body, **error_body("row_too_large", _TOO_LARGE, None)}, status=413)
    first = results[0]
    told = error_body(first.code or first.status.value, "no row could be taken", first.field)
    return json_answer({**body, **told}, status=422)


_TOO_LARGE = "a row may have 64 KiB"

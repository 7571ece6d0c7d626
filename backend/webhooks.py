"""Where a shop's own systems report orders by themselves; the signature is their key."""

from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from backend.bodies import bounded, read_bytes
from backend.errors import BodyUnreadable, WebhookRefused
from backend.events import EventsOut, answer_rows
from backend.parsing import Taken, parsed
from backend.wiring import clock_ms, parts
from workers.intake.body import parse_row
from workers.intake.deliveries import TOLERANCE_S, Webhook
from workers.intake.errors import BodyMalformed
from workers.intake.rows import Caller, RowResult, Status

bp = APIBlueprint("webhooks", __name__, abp_tags=[Tag(name="Events")])

SIGNATURE, TIMESTAMP = "X-Shopgraph-Signature", "X-Shopgraph-Timestamp"


class Sender(Taken):
    """Who reports."""

    connector: str = Field(description="name of a connector with a webhook")


@bp.post("/v1/webhooks", responses={202: EventsOut, 422: EventsOut})
@parsed
def post_webhooks(query: Sender) -> Response:
    """Take what a shop's own system reports.

    No key: ``X-Shopgraph-Timestamp`` holds seconds since 1970 UTC, five minutes from now at most,
    and ``X-Shopgraph-Signature`` reads ``sha256=`` and the HMAC-SHA-256 of the time, a dot and the
    body. A delivery that comes again is answered as before and stored once.
    """
    signature = request.headers.get(SIGNATURE, "")
    webhook = _admitted(parts().webhooks.get(query.connector), signature)
    body = read_bytes()
    rows = bounded(_rows(webhook, body), len(body))
    if parts().deliveries.is_known(webhook.name, signature):
        return answer_rows(
            [RowResult(n, None, Status.DUPLICATE) for n, _ in enumerate(rows.values)]
        )
    results = parts().intake.take(
        rows.values, Caller(webhook.name), received_ms=clock_ms(), body_bytes=rows.body_bytes
    )
    # Only now: what was cut short before this may come once more, and the ids make that harmless.
    parts().deliveries.note(webhook.name, signature)
    return answer_rows(results)


def _admitted(webhook: Webhook | None, signature: str) -> Webhook:
    timestamp = request.headers.get(TIMESTAMP, "")
    # Whoever cannot sign learns not even which names there are.
    if webhook is None or not webhook.signs(signature, timestamp, request.get_data()):
        raise WebhookRefused("the signature is missing or wrong")
    is_number = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12
    if not is_number or abs(int(timestamp) * 1_000 - clock_ms()) > TOLERANCE_S * 1_000:
        raise WebhookRefused("the time is missing or too far from now", code="signature_expired")
    return webhook


def _rows(webhook: Webhook, body: bytes) -> list[dict[str, Any]]:
    try:
        return webhook.rows(parse_row(body))
    except BodyMalformed as error:
        raise BodyUnreadable(str(error), code="invalid_json") from None

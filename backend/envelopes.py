"""Events as a tracker posts them: in an envelope, with what a beacon can put nowhere else."""

from dataclasses import dataclass
from typing import Any

from flask import g

from backend.bodies import Rows, bounded, read_rows
from backend.errors import BodyUnreadable, Invalid, WebError


@dataclass(frozen=True, slots=True)
class Posted:
    """
    What was posted.

    Attributes:
        key: the key in the envelope, for a beacon, which cannot have headers.
        dropped: events that the tracker had to drop since it last said so.
    """

    rows: Rows
    key: str | None = None
    dropped: int = 0


def posted() -> Posted:
    """
    The body of the request, read once.

    Raises:
        BodyUnreadable, BodyTooLarge, Invalid: it cannot be taken as a whole.
    """
    if "posted" not in g:
        g.posted = _read()
    found = g.posted
    assert isinstance(found, Posted)
    return found


def key_in_envelope() -> str | None:
    """The key in the body, if it has one; what cannot be read has none."""
    try:
        return posted().key
    except WebError:
        return None


def _read() -> Posted:
    rows = read_rows()
    envelope = rows.values[0]
    if len(rows.values) != 1 or not isinstance(envelope, dict) or "events" not in envelope:
        return Posted(rows)
    events, key = envelope["events"], envelope.get("key")
    if not isinstance(events, list):
        raise Invalid("events must be a list", field="events", code="invalid_type")
    if not events:
        raise BodyUnreadable("the body holds no rows", code="invalid_json")
    if key is not None and not isinstance(key, str):
        raise Invalid("the key must be text", field="key", code="invalid_type")
    stamped = [_stamped(row, envelope.get("sent_at")) for row in events]
    return Posted(bounded(stamped, rows.body_bytes), key, _dropped(envelope))


def _stamped(row: Any, sent_at: Any) -> Any:
    """A row with the envelope's ``sent_at``, where it has none of its own."""
    if sent_at is None or not isinstance(row, dict) or row.get("sent_at") is not None:
        return row
    return {**row, "sent_at": sent_at}


def _dropped(envelope: dict[str, Any]) -> int:
    dropped = envelope.get("dropped", 0)
    if type(dropped) is not int or not 0 <= dropped <= 10**9:
        raise Invalid("dropped must be a whole number", field="dropped", code="invalid_type")
    return dropped

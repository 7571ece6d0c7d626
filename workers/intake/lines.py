"""From a checked row to the facts it states: one per line of an order, else one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId
from workers.intake.ids import event_key
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.schema import ConsentIn, ContextIn, EventBase, ShownIn

_TYPES = {kind.value: kind for kind in EventType}
_AS_SAID = frozenset(
    {
        "session_id", "order_id", "promotion_id", "recommendation_id", "position", "dwell_ms",
        "rating", "value", "query", "channel",
    }
)  # fmt: skip
"""Fields of a row that an event takes over unchanged."""

_REST_OF_CONTEXT = frozenset({"locale", "tz_offset_min", "page", "referrer_host"})
_ORDERS = (EventType.PURCHASE, EventType.REFUND)


@dataclass(slots=True)
class Stamp:
    """What the door itself says of a row."""

    source: str
    ts: int
    received_ms: int
    flags: tuple[str, ...] = ()
    attributes: str | None = None


def events_of(row: EventBase, stamp: Stamp, pseudonyms: Pseudonyms) -> list[Event]:
    """The facts of one row, pseudonymised."""
    kind = _TYPES[row.event_type]
    shared = _shared(row, kind, stamp, pseudonyms)
    if row.lines is not None and kind in _ORDERS:
        return [
            Event(
                event_id=EventId(event_key(stamp.source, row.event_id, line.line)),
                item_id=ItemId(line.item_id),
                line=line.line,
                quantity=line.quantity,
                price_minor=line.price_minor,
                amount_minor=line.amount_minor,
                currency=line.currency,
                coupon_id=row.coupon_id if line.coupon_id is None else line.coupon_id,
                **shared,
            )
            for line in row.lines
        ]
    if kind is EventType.IMPRESSION and row.impression is not None:
        shared |= _shown(row.impression)
    return [
        Event(
            event_id=EventId(event_key(stamp.source, row.event_id)),
            item_id=None if row.item_id is None else ItemId(row.item_id),
            line=1 if kind is EventType.PURCHASE else None,
            quantity=row.quantity,
            price_minor=row.price_minor,
            amount_minor=row.amount_minor,
            currency=row.currency,
            coupon_id=row.coupon_id,
            **shared,
        )
    ]


def _shared(
    row: EventBase, kind: EventType, stamp: Stamp, pseudonyms: Pseudonyms
) -> dict[str, Any]:
    said = row.model_fields_set
    shared: dict[str, Any] = {name: getattr(row, name) for name in said & _AS_SAID}
    shared["type"] = kind
    shared["ts"] = stamp.ts
    shared["received_ts"] = stamp.received_ms
    shared["source"] = stamp.source
    shared["attributes"] = stamp.attributes
    shared["flags"] = stamp.flags
    shared["sent_ts"] = row.sent_at
    anonymous_id = row.anonymous_id
    device = anonymous_id if row.device_id is None else row.device_id
    if device is not None:
        shared["device_id"] = pseudonyms.device(device)
    if row.user_id is not None:
        shared["user_id"], shared["user_ref"] = pseudonyms.customer(row.user_id)
        if kind is EventType.IDENTIFY and anonymous_id is not None:
            shared["visitor_id"] = pseudonyms.visitor(anonymous_id)
    elif anonymous_id is not None:
        shared["user_id"] = pseudonyms.visitor(anonymous_id)
    if row.context is not None:
        shared |= _context(row.context)
    if row.consent is not None:
        shared["consent"] = _consent(row.consent)
    return shared


def _context(context: ContextIn) -> dict[str, Any]:
    rest = {
        name: value
        for name in context.model_fields_set & _REST_OF_CONTEXT
        if (value := getattr(context, name)) is not None
    }
    return {
        "device_type": context.device_type,
        "region": context.region,
        "context": json.dumps(rest, ensure_ascii=False, sort_keys=True) if rest else None,
    }


def _consent(consent: ConsentIn) -> str | None:
    said = consent.model_dump(exclude_none=True)
    return json.dumps(said) if said else None


def _shown(impression: Sequence[ShownIn]) -> dict[str, Any]:
    by_place = sorted(impression, key=lambda one: one.position)
    positions = tuple(one.position for one in by_place)
    plain = tuple(range(1, len(positions) + 1))
    return {
        "shown_items": tuple(one.item_id for one in by_place),
        "shown_positions": None if positions == plain else positions,
    }

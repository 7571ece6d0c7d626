"""From a checked row to the facts it states: one per line of an order, else one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graph.domain.events import Event, EventType
from workers.intake.ids import event_key
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.schema import ConsentIn, ContextIn, EventBase, ShownIn

_TYPES = {kind.value: kind for kind in EventType}
_ORDERS = (EventType.PURCHASE, EventType.REFUND)


@dataclass(frozen=True, slots=True)
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
                event_id=event_key(stamp.source, row.event_id, line.line),
                item_id=line.item_id,
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
            event_id=event_key(stamp.source, row.event_id),
            item_id=row.item_id,
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
    anonymous_id = row.anonymous_id
    device = anonymous_id if row.device_id is None else row.device_id
    shared: dict[str, Any] = {
        "type": kind,
        "ts": stamp.ts,
        "received_ts": stamp.received_ms,
        "source": stamp.source,
        "session_id": row.session_id,
        "device_id": None if device is None else pseudonyms.device(device),
        "order_id": row.order_id,
        "promotion_id": row.promotion_id,
        "recommendation_id": row.recommendation_id,
        "position": row.position,
        "dwell_ms": row.dwell_ms,
        "rating": row.rating,
        "value": row.value,
        "query": row.query,
        "channel": row.channel,
        "attributes": stamp.attributes,
        "flags": stamp.flags,
        "sent_ts": row.sent_at,
    }
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
        for name, value in (
            ("locale", context.locale),
            ("tz_offset_min", context.tz_offset_min),
            ("page", context.page),
            ("referrer_host", context.referrer_host),
        )
        if value is not None
    }
    return {
        "device_type": context.device_type,
        "region": context.region,
        "context": json.dumps(rest, ensure_ascii=False) if rest else None,
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

"""From a checked row to the facts it states: one per line of an order, else one."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from graph.domain.events import FIELD_NAMES, Event, EventType
from graph.domain.ids import DeviceId, UserId
from workers.intake.ids import event_key
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.schema import ConsentIn, ContextIn, EventBase, LineIn, ShownIn
from workers.intake.times import Moment

_TYPES = {kind.value: kind for kind in EventType}
_PLACE = {name: place for place, name in enumerate(FIELD_NAMES)}
_AS_SAID = {
    name: _PLACE[name]
    for name in (
        "item_id", "session_id", "order_id", "promotion_id", "recommendation_id", "position",
        "dwell_ms", "rating", "value", "query", "channel", "quantity", "price_minor",
        "amount_minor", "currency", "coupon_id",
    )
}  # fmt: skip
"""Fields of a row that an event takes over unchanged, and where they stand in it."""

_NAMES_AS_SAID = frozenset(_AS_SAID)

# By place and not by name: naming each of forty fields took a third of the door's time.
_EMPTY: list[Any] = [Event._field_defaults.get(name) for name in FIELD_NAMES]
_EVENT_ID, _TYPE, _USER, _TS = (_PLACE[n] for n in ("event_id", "type", "user_id", "ts"))
_RECEIVED, _SOURCE, _ITEM_ID = (_PLACE[n] for n in ("received_ts", "source", "item_id"))
_VISITOR, _REF, _DEVICE = (_PLACE[n] for n in ("visitor_id", "user_ref", "device_id"))
_DEVICE_TYPE, _REGION, _LINE = (_PLACE[n] for n in ("device_type", "region", "line"))
_QUANTITY, _PRICE, _AMOUNT = (_PLACE[n] for n in ("quantity", "price_minor", "amount_minor"))
_CURRENCY, _COUPON, _SENT = (_PLACE[n] for n in ("currency", "coupon_id", "sent_ts"))
_SHOWN_ITEMS, _SHOWN_POSITIONS = _PLACE["shown_items"], _PLACE["shown_positions"]
_ATTRIBUTES, _FLAGS, _CONTEXT = (_PLACE[n] for n in ("attributes", "flags", "context"))
_CONSENT, _DEVICE_TS, _CONTENT = (_PLACE[n] for n in ("consent", "device_ts", "content"))

_REST_OF_CONTEXT = frozenset({"locale", "tz_offset_min", "page", "referrer_host"})
_ORDERS = (EventType.PURCHASE, EventType.REFUND)


class Stamp(NamedTuple):
    """
    What the door itself says of a row.

    Attributes:
        mark: 32 bits of a keyed hash of the row.
    """

    source: str
    moment: Moment
    received_ms: int
    flags: tuple[str, ...] = ()
    attributes: str | None = None
    mark: int | None = None


class Person(NamedTuple):
    """Who and what a row is about, as pseudonyms."""

    user_id: UserId
    user_ref: str | None = None
    visitor_id: UserId | None = None
    device_id: DeviceId | None = None


def person_of(row: EventBase, pseudonyms: Pseudonyms) -> Person:
    """The stand-ins for a row's ids; a row without any person has been refused before."""
    anonymous_id = row.anonymous_id
    device = anonymous_id if row.device_id is None else row.device_id
    device_id = None if device is None else pseudonyms.device(device)
    if row.user_id is None:
        return Person(pseudonyms.visitor(anonymous_id or ""), None, None, device_id)
    user_id, ref = pseudonyms.customer(row.user_id)
    if row.event_type == "identify" and anonymous_id is not None:
        return Person(user_id, ref, pseudonyms.visitor(anonymous_id), device_id)
    return Person(user_id, ref, None, device_id)


def events_of(row: EventBase, stamp: Stamp, person: Person) -> list[Event]:
    """The facts of one row, pseudonymised."""
    kind = _TYPES[row.event_type]
    shared = _shared(row, kind, stamp, person)
    if row.lines is not None and kind in _ORDERS:
        return [_line(shared, row, line, stamp.source) for line in row.lines]
    if kind is EventType.IMPRESSION and row.impression is not None:
        shown, positions = _shown(row.impression)
        shared[_SHOWN_ITEMS], shared[_SHOWN_POSITIONS] = shown, positions
    shared[_EVENT_ID] = event_key(stamp.source, row.event_id)
    if kind is EventType.PURCHASE:
        shared[_LINE] = 1
    return [Event._make(shared)]


def _line(shared: list[Any], row: EventBase, line: LineIn, source: str) -> Event:
    values = shared.copy()
    values[_EVENT_ID] = event_key(source, row.event_id, line.line)
    values[_ITEM_ID] = line.item_id
    values[_LINE] = line.line
    values[_QUANTITY] = line.quantity
    values[_PRICE] = line.price_minor
    values[_AMOUNT] = line.amount_minor
    values[_CURRENCY] = line.currency
    values[_COUPON] = row.coupon_id if line.coupon_id is None else line.coupon_id
    return Event._make(values)


def _shared(row: EventBase, kind: EventType, stamp: Stamp, person: Person) -> list[Any]:
    """The values of an event in declared order, all but its id."""
    values = _EMPTY.copy()
    for name in row.model_fields_set & _NAMES_AS_SAID:
        values[_AS_SAID[name]] = getattr(row, name)
    moment = stamp.moment
    values[_TYPE] = kind
    values[_TS] = moment.ts
    values[_RECEIVED] = stamp.received_ms
    values[_SOURCE] = stamp.source
    values[_ATTRIBUTES] = stamp.attributes
    values[_FLAGS] = stamp.flags
    values[_SENT] = row.sent_at
    values[_USER], values[_REF], values[_VISITOR], values[_DEVICE] = person
    values[_DEVICE_TS] = moment.device_ts
    values[_CONTENT] = stamp.mark
    if row.context is not None:
        values[_DEVICE_TYPE], values[_REGION], values[_CONTEXT] = _context(row.context)
    if row.consent is not None:
        values[_CONSENT] = _consent(row.consent)
    return values


def _context(context: ContextIn) -> tuple[str | None, str | None, str | None]:
    rest = {
        name: value
        for name in context.model_fields_set & _REST_OF_CONTEXT
        if (value := getattr(context, name)) is not None
    }
    text = json.dumps(rest, ensure_ascii=False, sort_keys=True) if rest else None
    return context.device_type, context.region, text


def _consent(consent: ConsentIn) -> str | None:
    said = consent.model_dump(exclude_none=True)
    return json.dumps(said) if said else None


def _shown(impression: Sequence[ShownIn]) -> tuple[tuple[str, ...], tuple[int, ...] | None]:
    by_place = sorted(impression, key=lambda one: one.position)
    positions = tuple(one.position for one in by_place)
    plain = tuple(range(1, len(positions) + 1))
    return tuple(one.item_id for one in by_place), None if positions == plain else positions

"""What a shopper does, and how much each behaviour says about interest."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

from graph.domain.ids import DeviceId, EventId, ItemId, UserId


class EventType(StrEnum):
    """A behaviour, by the word a client sends."""

    IMPRESSION = "impression"
    CLICK = "click"
    VIEW = "view"
    CART = "cart"
    UNCART = "uncart"
    FAVORITE = "favorite"
    UNFAVORITE = "unfavorite"
    PURCHASE = "purchase"
    REFUND = "refund"
    REVIEW = "review"
    INQUIRY = "inquiry"
    SHARE = "share"
    SEARCH = "search"
    IDENTIFY = "identify"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """
    How one event type stands in the graph and counts as interest.

    Attributes:
        relationship: type of the edge from the person to the item.
        code: small integer that stands for the type in arrays; never reused.
        weight: strength of one event as a sign of interest; negative takes interest back.
        half_life_days: after this many days the strength has halved.
    """

    relationship: str
    code: int
    weight: float
    half_life_days: float


ITEM_BEHAVIOURS: dict[EventType, Behaviour] = {
    EventType.CLICK: Behaviour("CLICKED", 1, 1.0, 7.0),
    EventType.VIEW: Behaviour("VIEWED", 2, 1.0, 7.0),
    EventType.CART: Behaviour("CARTED", 3, 3.0, 14.0),
    EventType.UNCART: Behaviour("UNCARTED", 4, -3.0, 14.0),
    EventType.FAVORITE: Behaviour("FAVORITED", 5, 2.0, 30.0),
    EventType.UNFAVORITE: Behaviour("UNFAVORITED", 6, -2.0, 30.0),
    EventType.PURCHASE: Behaviour("PURCHASED", 7, 6.0, 30.0),
    EventType.REFUND: Behaviour("REFUNDED", 8, -6.0, 30.0),
    EventType.REVIEW: Behaviour("REVIEWED", 9, 2.0, 30.0),
    EventType.INQUIRY: Behaviour("INQUIRED", 10, 2.0, 7.0),
    EventType.SHARE: Behaviour("SHARED", 11, 2.0, 14.0),
}
"""Behaviours that become an edge from a person to an item."""


class Event(NamedTuple):
    """
    One fact about one person, already checked and pseudonymised; one line of an order is one event.

    A named tuple, since making a frozen dataclass of so many fields takes ten times as long, and
    every event is made twice.

    Times are integer milliseconds UTC; money is integer minor units of ``currency``.

    Attributes:
        ts: when it happened, by the device's clock (corrected where it was wrong).
        received_ts: when the door took it; for imported history, when it happened.
        user_id: who: the customer where known, else the visitor.
        visitor_id: on ``identify``, the visitor who turned out to be ``user_id``.
        user_ref: the shop's own id of the person, encrypted; only there to be stored on the node.
        price_minor: price of one piece; ``amount_minor`` is what was paid for the whole line.
        shown_items: on ``impression``, the list as shown, in order of position.
        attributes: the client's free attributes as JSON text.
        flags: what we think of the fact, such as ``late`` or ``bot``.
        shown_positions: on ``impression``, the positions beside ``shown_items``, where they are
            not simply 1, 2, 3 and so on.
        sent_ts: when this try was sent, by the device's clock.
        context: the rest of the client's context (page, locale, ...) as JSON text.
        consent: what the event says about consent, purpose by purpose, as JSON text.
        device_ts: when it happened as the device's clock said it, where ``ts`` says otherwise.
        content: 32 bits of a keyed hash of the row as it was sent; another telling has another.
    """

    event_id: EventId
    type: EventType
    user_id: UserId
    ts: int
    received_ts: int
    source: str
    item_id: ItemId | None = None
    visitor_id: UserId | None = None
    user_ref: str | None = None
    session_id: str | None = None
    device_id: DeviceId | None = None
    device_type: str | None = None
    region: str | None = None
    order_id: str | None = None
    line: int | None = None
    quantity: int | None = None
    price_minor: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    coupon_id: str | None = None
    promotion_id: str | None = None
    recommendation_id: str | None = None
    position: int | None = None
    dwell_ms: int | None = None
    rating: float | None = None
    value: float | None = None
    query: str | None = None
    channel: str | None = None
    shown_items: tuple[str, ...] | None = None
    attributes: str | None = None
    flags: tuple[str, ...] = ()
    shown_positions: tuple[int, ...] | None = None
    sent_ts: int | None = None
    context: str | None = None
    consent: str | None = None
    device_ts: int | None = None
    content: int | None = None

    @classmethod
    def from_row(cls, row: list[Any]) -> Self:
        """From all fields in declared order, also after a trip through JSON."""
        values = dict(zip(FIELD_NAMES, row, strict=True))
        values["type"] = EventType(values["type"])
        for name in ("shown_items", "shown_positions"):
            if values[name] is not None:
                values[name] = tuple(values[name])
        values["flags"] = tuple(values["flags"])
        return cls(**values)


FIELD_NAMES: tuple[str, ...] = Event._fields

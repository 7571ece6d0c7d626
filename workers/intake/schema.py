"""The events a client may send, one model per type, joined by ``event_type``."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictInt,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
)

from workers.intake.ids import checked_id, repeated_id
from workers.intake.times import parse_time

_ID_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "description": "1 to 255 bytes, no control characters",
    }
)
_TIME_SCHEMA = WithJsonSchema(
    {"type": "string", "format": "date-time", "description": "ISO-8601 with a zone"}
)
Id = Annotated[str, AfterValidator(checked_id), _ID_SCHEMA]
"""An id that comes once, or seldom."""

KnownId = Annotated[str, AfterValidator(repeated_id), _ID_SCHEMA]
"""An id that comes again and again."""

SourceId = Annotated[
    str, StringConstraints(pattern=r"^[^|]*$"), AfterValidator(repeated_id), _ID_SCHEMA
]
Time = Annotated[int, BeforeValidator(parse_time), _TIME_SCHEMA]
Text = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
Minor = Annotated[StrictInt, Field(ge=0, le=10**15)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Count = Annotated[StrictInt, Field(ge=1, le=10**9)]
NotNegative = Annotated[StrictInt, Field(ge=0, le=10**12)]
LineNumber = Annotated[StrictInt, Field(ge=0, le=10**6)]
Stars = Annotated[FiniteFloat, Field(strict=True, ge=1, le=5)]
Strength = Annotated[FiniteFloat, Field(strict=True)]
ConsentState = Literal["granted", "denied", "unknown"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)


class LineIn(_Part):
    """One line of an order; known by order, item and line number."""

    line: LineNumber
    """Number of the line in its order."""

    item_id: KnownId
    """What was bought."""

    quantity: Count | None = None
    """Pieces; where absent, one."""

    price_minor: Minor | None = None
    """Price of a piece."""

    amount_minor: Minor | None = None
    """Paid for the whole line."""

    currency: Currency | None = None
    """ISO-4217 code."""

    coupon_id: KnownId | None = None
    """A coupon for this line; else that of the order counts."""


class ShownIn(_Part):
    """One place of a shown list."""

    item_id: KnownId
    """What was shown."""

    position: Count
    """Where, from 1."""


class ContextIn(_Part):
    """Where and on what it happened."""

    device_type: Text | None = None
    """Such as `phone`."""

    locale: Text | None = None
    """Such as `zh-CN`."""

    tz_offset_min: Annotated[StrictInt, Field(ge=-1_440, le=1_440)] | None = None
    """Minutes that the device's zone is ahead of UTC."""

    page: Text | None = None
    """The page it happened on."""

    referrer_host: Text | None = None
    """The host that led there."""

    region: Text | None = None
    """Where the person is, roughly."""

    user_agent: Text | None = None
    """What the client calls itself: tells programs; never stored."""

    automated: Annotated[bool, Field(strict=True)] | None = None
    """A program drives the browser; never stored."""


class ConsentIn(_Part):
    """What the person allowed, purpose by purpose."""

    collection: ConsentState | None = None
    """That behaviour is stored at all."""

    personalisation: ConsentState | None = None
    """That lists are made for this person."""

    marketing: ConsentState | None = None
    """That coupons and messages are."""

    at: Time | None = None
    """When they decided; without it, when the event happened."""


class EventBase(_Part):
    """The fields of every event."""

    event_type: str
    """What happened."""

    event_id: Id
    """Made by the client, and kept on every retry; known by it and `source` for ever."""

    event_time: Time
    """When it happened, by the clock of the device."""

    source: SourceId | None = None
    """The door it came through, without a bar; by default the name of the key."""

    schema_version: Literal[1] = 1
    """Version of this form."""

    user_id: KnownId | None = None
    """The customer; becomes a pseudonym. This one or `anonymous_id` is required."""

    anonymous_id: KnownId | None = None
    """The visitor, before a login; becomes a pseudonym."""

    session_id: KnownId | None = None
    """The visit."""

    device_id: KnownId | None = None
    """The device; becomes a pseudonym. By default `anonymous_id`."""

    sent_at: Time | None = None
    """When this try was sent, renewed on a retry; without it no clock is corrected."""

    item_id: KnownId | None = None
    """What it happened to."""

    order_id: Id | None = None
    """The order."""

    coupon_id: KnownId | None = None
    """A coupon that was used."""

    promotion_id: KnownId | None = None
    """A promotion that was shown or clicked."""

    recommendation_id: Id | None = None
    """The answer that showed the item; clicks with it make up click-through."""

    lines: Annotated[list[LineIn], Field(min_length=1, max_length=500)] | None = None
    """Lines of an order, no line number twice."""

    impression: Annotated[list[ShownIn], Field(min_length=1, max_length=100)] | None = None
    """The list that was shown."""

    quantity: Count | None = None
    """Pieces; where absent, one."""

    position: Count | None = None
    """Place in the list, from 1."""

    dwell_ms: NotNegative | None = None
    """How long it was looked at."""

    price_minor: Minor | None = None
    """Price of a piece in the smallest unit of `currency`; neither without the other."""

    amount_minor: Minor | None = None
    """What was paid for the whole line, also with `currency`."""

    currency: Currency | None = None
    """ISO-4217 code."""

    rating: Stars | None = None
    """Stars of a review."""

    value: Strength | None = None
    """Strength of the behaviour, where a source has one; finite."""

    query: Text | None = None
    """Words that were looked for."""

    channel: Text | None = None
    """Where it was shared."""

    dropped: Count | None = None
    """Events that a full queue had to drop for this one; counted once, not stored."""

    context: ContextIn | None = None
    """Where and on what it happened."""

    consent: ConsentIn | None = None
    """What the person allowed; rows that say collection is denied or unknown are not stored."""

    attributes: dict[str, Any] | None = None
    """Free JSON, at most 8 KiB, given back as sent; no e-mail address and no phone number."""


class ImpressionIn(EventBase):
    """A list was shown."""

    event_type: Literal["impression"]
    impression: Annotated[list[ShownIn], Field(min_length=1, max_length=100)]


class ItemEventIn(EventBase):
    """A person did something with one item."""

    event_type: Literal[
        "click", "view", "cart", "uncart", "favorite", "unfavorite", "inquiry", "share"
    ]
    item_id: KnownId


class PurchaseIn(EventBase):
    """An order: ``lines``, or ``item_id`` for a single line."""

    event_type: Literal["purchase"]
    order_id: Id


class RefundIn(EventBase):
    """An order taken back: the ``lines`` given, or all of it."""

    event_type: Literal["refund"]
    order_id: Id


class ReviewIn(EventBase):
    """Stars for an item."""

    event_type: Literal["review"]
    item_id: KnownId
    rating: Stars


class SearchIn(EventBase):
    """Words that were looked for."""

    event_type: Literal["search"]
    query: Text


class IdentifyIn(EventBase):
    """A visitor turned out to be this user."""

    event_type: Literal["identify"]
    user_id: KnownId
    anonymous_id: KnownId


EventIn = Annotated[
    ImpressionIn | ItemEventIn | PurchaseIn | RefundIn | ReviewIn | SearchIn | IdentifyIn,
    Field(discriminator="event_type"),
]
"""Any event, told apart by ``event_type``."""

EVENT: TypeAdapter[Any] = TypeAdapter(EventIn)
EVENTS: TypeAdapter[list[Any]] = TypeAdapter(list[EventIn])

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
    model_config = ConfigDict(extra="ignore")


class LineIn(_Part):
    """One line of an order; known by order, item and line number."""

    line: LineNumber
    item_id: KnownId
    quantity: Count | None = None
    price_minor: Minor | None = None
    amount_minor: Minor | None = Field(default=None, description="paid for the whole line")
    currency: Currency | None = None
    coupon_id: KnownId | None = None


class ShownIn(_Part):
    """One place of a shown list."""

    item_id: KnownId
    position: Count


class ContextIn(_Part):
    """Where and on what it happened."""

    device_type: Text | None = None
    locale: Text | None = None
    tz_offset_min: Annotated[StrictInt, Field(ge=-1_440, le=1_440)] | None = None
    page: Text | None = None
    referrer_host: Text | None = None
    region: Text | None = None
    user_agent: Text | None = Field(default=None, description="tells programs; never stored")
    automated: bool | None = Field(
        default=None, strict=True, description="a program drives the browser; never stored"
    )


class ConsentIn(_Part):
    """What the person allowed, purpose by purpose."""

    collection: ConsentState | None = None
    personalisation: ConsentState | None = None
    marketing: ConsentState | None = None


class EventBase(_Part):
    """The fields of every event."""

    event_type: str
    event_id: Id
    event_time: Time
    source: SourceId | None = None
    schema_version: Literal[1] = 1
    user_id: KnownId | None = None
    anonymous_id: KnownId | None = None
    session_id: KnownId | None = None
    device_id: KnownId | None = None
    sent_at: Time | None = None
    item_id: KnownId | None = None
    order_id: Id | None = None
    coupon_id: KnownId | None = None
    promotion_id: KnownId | None = None
    recommendation_id: Id | None = None
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=500)] | None = None
    impression: Annotated[list[ShownIn], Field(min_length=1, max_length=100)] | None = None
    quantity: Count | None = None
    position: Count | None = None
    dwell_ms: NotNegative | None = None
    price_minor: Minor | None = None
    amount_minor: Minor | None = Field(default=None, description="paid for the whole line")
    currency: Currency | None = None
    rating: Stars | None = None
    value: Strength | None = None
    query: Text | None = None
    channel: Text | None = None
    context: ContextIn | None = None
    consent: ConsentIn | None = None
    attributes: dict[str, Any] | None = Field(default=None, description="at most 8 KiB")


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

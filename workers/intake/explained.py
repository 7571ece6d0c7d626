"""What the words of the intake mean, for people who send events."""

from graph.domain.events import EventType
from workers.intake.rows import Status

DEEDS = {
    EventType.CLICK: "An item in a list was clicked",
    EventType.VIEW: "The page of an item was seen",
    EventType.CART: "An item was put into the cart",
    EventType.UNCART: "An item was taken out of the cart",
    EventType.FAVORITE: "An item was marked as a favourite",
    EventType.UNFAVORITE: "An item is no favourite any more",
    EventType.INQUIRY: "The shop was asked about an item",
    EventType.SHARE: "An item was shared",
}
"""Where the model of several types can say only what they have in common."""

EFFECTS = {
    EventType.IMPRESSION: "none; the base of click-through",
    EventType.CLICK: "adds interest",
    EventType.VIEW: "adds interest",
    EventType.CART: "adds interest",
    EventType.UNCART: "takes back the cart, wholly or by `quantity`",
    EventType.FAVORITE: "adds interest",
    EventType.UNFAVORITE: "takes it back",
    EventType.PURCHASE: "adds interest, line by line",
    EventType.REFUND: "takes back the purchase, also when it comes first",
    EventType.REVIEW: "adds or takes interest, by stars",
    EventType.INQUIRY: "adds interest",
    EventType.SHARE: "adds interest",
    EventType.SEARCH: "tells what the visit is about",
    EventType.IDENTIFY: "joins the visitor's past to the customer",
}

STATES = {
    Status.ACCEPTED: "on disk, and will be in the graph",
    Status.DUPLICATE: "it was here before; nothing changes",
    Status.CONFLICT: "its id was here before with other content; the first wins, this is put aside",
    Status.QUARANTINED: "put aside: its time cannot be",
    Status.REJECTED: "not stored; sending it again unchanged is of no use",
}

CODES = {
    "missing_field": "a required field is absent or null",
    "invalid_type": "a value of the wrong kind or out of bounds, or a line number twice",
    "invalid_id": "what broken clients send for an id, or a control character in it",
    "id_too_long": "an id of more than 255 bytes",
    "invalid_text": (
        "no valid UTF-8, too long, a zero byte, or somebody's phone number or e-mail address"
    ),
    "invalid_time": "no time, or a number",
    "time_without_zone": "a time that could mean several moments",
    "time_out_of_range": "before 1990, or more than a day ahead",
    "invalid_money": "an amount without currency, or the other way round, or no whole number",
    "unknown_event_type": "no type of the table above",
    "row_too_large": "the row, or its attributes, is too large",
    "no_consent": "the person did not allow it; nothing was kept",
    "erased": "the person was erased; nothing was kept",
}
"""Stable: a code is never renamed."""

FLAGS = {
    "skew_corrected": "the device's clock was wrong, and its error is taken out",
    "future_clamped": "a little ahead, so stored as of its receipt",
    "late": "old when it came: stored, and out of live signals",
    "bot": "made by a program: stored, and out of training, popular lists and experiments",
    "low_trust": "read on a public page by the page robot; always beside `bot`",
}

EXAMPLES = {
    EventType.IMPRESSION: (
        '{"event_type": "impression", "event_id": "e-1", "anonymous_id": "v-4",\n'
        ' "event_time": "2026-03-01T16:00:00+08:00", "recommendation_id": "r-81c2",\n'
        ' "impression": [{"item_id": "SKU-1", "position": 1}, {"item_id": "SKU-9", "position": 2}]}'
    ),
    EventType.CLICK: (
        '{"event_type": "click", "event_id": "e-2", "anonymous_id": "v-4", "item_id": "SKU-9",\n'
        ' "event_time": "2026-03-01T16:00:04+08:00", "recommendation_id": "r-81c2", "position": 2}'
    ),
    EventType.VIEW: (
        '{"event_type": "view", "event_id": "e-3", "anonymous_id": "v-4", "item_id": "SKU-9",\n'
        ' "event_time": "2026-03-01T16:00:05+08:00", "sent_at": "2026-03-01T16:00:31+08:00",\n'
        ' "dwell_ms": 24000, "context": {"device_type": "phone", "locale": "zh-CN"}}'
    ),
    EventType.CART: (
        '{"event_type": "cart", "event_id": "e-4", "anonymous_id": "v-4", "item_id": "SKU-9",\n'
        ' "event_time": "2026-03-01T16:00:40+08:00", "quantity": 2}'
    ),
    EventType.UNCART: (
        '{"event_type": "uncart", "event_id": "e-5", "anonymous_id": "v-4", "item_id": "SKU-9",\n'
        ' "event_time": "2026-03-01T16:00:50+08:00", "quantity": 1}'
    ),
    EventType.FAVORITE: (
        '{"event_type": "favorite", "event_id": "e-6", "user_id": "u-17", "item_id": "SKU-1",\n'
        ' "event_time": "2026-03-01T08:01:00Z"}'
    ),
    EventType.UNFAVORITE: (
        '{"event_type": "unfavorite", "event_id": "e-7", "user_id": "u-17", "item_id": "SKU-1",\n'
        ' "event_time": "2026-03-01T08:02:00Z"}'
    ),
    EventType.PURCHASE: (
        '{"event_type": "purchase", "event_id": "e-8", "user_id": "u-17", "order_id": "o-5",\n'
        ' "event_time": "2026-03-01T08:03:00Z", "lines": [\n'
        '  {"line": 1, "item_id": "SKU-9", "quantity": 2, "price_minor": 125, "currency": "CNY"},\n'
        '  {"line": 2, "item_id": "SKU-1", "price_minor": 990, "currency": "CNY"}]}'
    ),
    EventType.REFUND: (
        '{"event_type": "refund", "event_id": "e-9", "user_id": "u-17", "order_id": "o-5",\n'
        ' "event_time": "2026-03-03T08:00:00Z", "lines": [{"line": 1, "item_id": "SKU-9"}]}'
    ),
    EventType.REVIEW: (
        '{"event_type": "review", "event_id": "e-10", "user_id": "u-17", "item_id": "SKU-1",\n'
        ' "event_time": "2026-03-04T08:00:00Z", "rating": 4.5}'
    ),
    EventType.INQUIRY: (
        '{"event_type": "inquiry", "event_id": "e-11", "user_id": "u-17", "item_id": "SKU-1",\n'
        ' "event_time": "2026-03-04T08:01:00Z"}'
    ),
    EventType.SHARE: (
        '{"event_type": "share", "event_id": "e-12", "user_id": "u-17", "item_id": "SKU-1",\n'
        ' "event_time": "2026-03-04T08:02:00Z", "channel": "mail"}'
    ),
    EventType.SEARCH: (
        '{"event_type": "search", "event_id": "e-13", "anonymous_id": "v-4", "query": "tea",\n'
        ' "event_time": "2026-03-04T08:03:00Z"}'
    ),
    EventType.IDENTIFY: (
        '{"event_type": "identify", "event_id": "e-14", "user_id": "u-17", "anonymous_id": "v-4",\n'
        ' "event_time": "2026-03-04T08:04:00Z",\n'
        ' "consent": {"collection": "granted", "personalisation": "granted"}}'
    ),
}
"""One row of each type, as a client would write it."""

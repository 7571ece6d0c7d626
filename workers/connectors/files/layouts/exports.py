"""What other products export: Gorse, Segment, GA4, Snowplow."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graph.domain.catalogue import Item
from graph.domain.ids import ItemId
from workers.connectors.files.layouts.layout import (
    Event,
    Layout,
    Options,
    Place,
    Told,
    Unusable,
    behaviour,
)
from workers.connectors.files.layouts.values import microseconds, price, wall
from workers.intake.times import EpochMs

SEGMENT = {
    "Product List Viewed": "impression", "Product Clicked": "click", "Product Viewed": "view",
    "Product Added": "cart", "Product Removed": "uncart",
    "Product Added to Wishlist": "favorite", "Product Removed from Wishlist": "unfavorite",
    "Order Completed": "purchase", "Order Refunded": "refund", "Order Cancelled": "refund",
    "Product Reviewed": "review", "Product Shared": "share", "Products Searched": "search",
}  # fmt: skip
GA4 = {
    "view_item_list": "impression", "select_item": "click", "view_item": "view",
    "add_to_cart": "cart", "remove_from_cart": "uncart", "add_to_wishlist": "favorite",
    "purchase": "purchase", "refund": "refund", "share": "share", "search": "search",
}  # fmt: skip
SNOWPLOW = {
    "list_view": "impression", "list_click": "click", "product_view": "view",
    "add_to_cart": "cart", "remove_from_cart": "uncart", "transaction": "purchase",
    "refund": "refund",
}  # fmt: skip

_OF_AN_ORDER = ("purchase", "refund")
_SHOWN = 100
"""Places of a list that are kept."""


def _gorse_feedback(cells: Mapping[str, str], place: Place, options: Options) -> Told:
    kind = behaviour(cells["feedback_type"], options.behaviours)
    found: Event = {
        "event_id": place.event_id,
        "event_type": kind,
        "user_id": cells["user_id"],
        "item_id": cells["item_id"],
        "event_time": wall(cells["time_stamp"], options.zone or "UTC"),
    }
    if kind == "purchase":
        found["order_id"] = place.event_id
    return Told([found])


def _gorse_item(cells: Mapping[str, str], _: Place, options: Options) -> Told:
    kinds = [one for one in cells["categories"].split("|") if one]
    item = Item(
        item_id=ItemId(cells["item_id"]),
        categories=tuple(kinds) or None,
        is_hidden=cells["is_hidden"].lower() in ("1", "true"),
        updated_at=wall(cells["time_stamp"], options.zone or "UTC"),
    )
    return Told(items=[item])


def _segment(record: Mapping[str, Any], place: Place, options: Options) -> Told:
    base = _base(
        event_id=record.get("messageId") or place.event_id,
        when=_told_time(record, "originalTimestamp", "timestamp"),
        user_id=record.get("userId"),
        anonymous_id=record.get("anonymousId"),
        sent_at=record.get("sentAt"),
    )
    if record.get("type") == "identify":
        return Told([base | {"event_type": "identify"}])
    if record.get("type") != "track":
        return Told()
    kind = behaviour(record.get("event", ""), SEGMENT | dict(options.behaviours))
    said = record.get("properties") or {}
    products = said.get("products") or ([said] if said.get("product_id") else [])
    more = {
        "order_id": said.get("order_id"), "query": said.get("query"), "rating": said.get("rating"),
        "coupon_id": said.get("coupon"), "promotion_id": said.get("promotion_id"),
    }  # fmt: skip
    goods = [_good(one, "product_id", said.get("currency") or options.currency) for one in products]
    return Told(_events(kind, base, goods, more))


def _ga4(record: Mapping[str, Any], place: Place, options: Options) -> Told:
    kind = (GA4 | dict(options.behaviours)).get(record["event_name"])
    if kind is None:
        return Told()
    told = {
        one["key"]: next((v for v in one["value"].values() if v is not None), None)
        for one in record.get("event_params") or ()
    }
    base = _base(
        event_id=place.event_id,
        when=microseconds(record["event_timestamp"]),
        user_id=record.get("user_id"),
        anonymous_id=record.get("user_pseudo_id"),
        session_id=None if told.get("ga_session_id") is None else str(told["ga_session_id"]),
    )
    order = (record.get("ecommerce") or {}).get("transaction_id") or told.get("transaction_id")
    more = {"order_id": order, "query": told.get("search_term"), "coupon_id": told.get("coupon")}
    currency = told.get("currency") or options.currency
    goods = [_good(one, "item_id", currency) for one in record.get("items") or ()]
    return Told(_events(kind, base, goods, more))


def _snowplow(record: Mapping[str, Any], place: Place, options: Options) -> Told:
    action = _first(record, "unstruct_event", "snowplow_ecommerce_action")
    if action is None:
        return Told()
    kind = behaviour(str(action.get("type")), SNOWPLOW | dict(options.behaviours))
    base = _base(
        event_id=record.get("event_id") or place.event_id,
        when=_told_time(record, "dvce_created_tstamp", "derived_tstamp"),
        user_id=record.get("user_id"),
        anonymous_id=record.get("domain_userid"),
        session_id=record.get("domain_sessionid"),
    )
    order = _first(record, "contexts", "transaction") or _first(record, "contexts", "refund") or {}
    more = {"order_id": order.get("transaction_id"), "coupon_id": order.get("discount_code")}
    goods = [
        _good(one, "id", one.get("currency") or options.currency)
        for one in _all(record, "contexts", "product")
    ]
    return Told(_events(kind, base, goods, more))


def _base(*, event_id: str, when: EpochMs, **more: str | None) -> Event:
    found: Event = {"event_id": event_id, "event_time": when}
    return found | {name: value for name, value in more.items() if value}


def _told_time(record: Mapping[str, Any], *names: str) -> EpochMs:
    """The first of several times that is there; text without a zone is UTC in these products."""
    for name in names:
        if record.get(name):
            return wall(str(record[name]), "UTC")
    raise Unusable("invalid_time")


def _good(one: Mapping[str, Any], name: str, currency: str | None) -> Event:
    """An item as a line of an order has it."""
    if not one.get(name):
        raise Unusable("missing_field: item_id")
    found: Event = {"item_id": str(one[name])}
    if one.get("quantity"):
        found["quantity"] = int(one["quantity"])
    if one.get("position") is not None or one.get("index") is not None:
        found["position"] = int(one["position"] if "position" in one else one["index"]) or 1
    return found | price(str(one.get("price") or ""), currency)


def _events(kind: str, base: Event, goods: Sequence[Event], more: Mapping[str, Any]) -> list[Event]:
    whole = base | {"event_type": kind} | {k: v for k, v in more.items() if v is not None}
    if kind in _OF_AN_ORDER:
        lines = [{"line": k} | _line(good) for k, good in enumerate(goods)]
        return [whole | ({"lines": lines} if lines else {})]
    if kind == "impression":
        shown = [{"item_id": one["item_id"], "position": k} for k, one in enumerate(goods, 1)]
        return [whole | {"impression": shown[:_SHOWN]}]
    if not goods:
        return [whole]
    return list(_one_each(whole, goods))


def _line(good: Event) -> Event:
    return {name: value for name, value in good.items() if name != "position"}


def _one_each(whole: Event, goods: Sequence[Event]) -> Iterator[Event]:
    for k, good in enumerate(goods):
        yield whole | good | ({"event_id": f"{whole['event_id']}:{k}"} if k else {})


def _all(record: Mapping[str, Any], where: str, what: str) -> list[Mapping[str, Any]]:
    """Entities of one kind, whatever the version of their schema."""
    for name, value in record.items():
        if name.startswith(where) and f"_{what}_" in f"{name}_":
            return list(value) if isinstance(value, list) else [value]
    return []


def _first(record: Mapping[str, Any], where: str, what: str) -> Mapping[str, Any] | None:
    found = _all(record, where, what)
    return found[0] if found else None


LAYOUTS = (
    Layout(
        name="gorse-feedback",
        title="Gorse, exported feedback; its types need --behaviour",
        read=_gorse_feedback,
        columns=("feedback_type", "user_id", "item_id", "time_stamp"),
        needs=("behaviours",),
    ),
    Layout(
        name="gorse-items",
        title="Gorse, exported items",
        read=_gorse_item,
        columns=("item_id", "is_hidden", "categories", "time_stamp"),
    ),
    Layout(
        name="segment",
        title="Segment or RudderStack, one call a line as JSON",
        read=_segment,
        form="json",
    ),
    Layout(
        name="ga4",
        title="GA4 as BigQuery exports it, one event a line as JSON",
        read=_ga4,
        form="json",
    ),
    Layout(
        name="snowplow",
        title="Snowplow, enriched e-commerce events, one a line as JSON",
        read=_snowplow,
        form="json",
    ),
)

"""A person's data on its way out: events that can be taken in elsewhere, and what else is held."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from graph.domain.events import EventType
from graph.domain.ids import UserId
from graph.edges import EDGES, RETURNED
from graph.person_data import PersonData
from graph.refunds import DERIVED

RECORD = "record"
"""Tells what a line is that is no event; an import passes over it."""

_KINDS = {edge.relationship: kind for kind, edge in EDGES.items()} | {
    RETURNED.relationship: EventType.REFUND
}
_AS_TOLD = (
    "session_id", "device_id", "order_id", "promotion_id", "recommendation_id", "position",
    "dwell_ms", "rating", "value", "channel", "source",
)  # fmt: skip
_OF_LINE = ("quantity", "price_minor", "amount_minor", "currency", "coupon_id")
_LOCAL_ID = re.compile(r"((?:[^|]|\|\|)*)(?:\|([0-9]+))?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def lines(data: PersonData, raw_ids: Mapping[UserId, str]) -> Iterator[dict[str, Any]]:
    """
    One JSON object after the other: the profiles, the events, and the rest.

    Args:
        raw_ids: the shop's own ids, as far as they are known; a visitor of whom none is goes by
            their pseudonym.
    """
    for profile in data.profiles:
        yield {RECORD: "profile", **profile, "raw_id": raw_ids.get(profile["user_id"])}
    yield from _events(data, raw_ids)
    for name in ("devices", "campaigns", "coupons", "tags"):
        for told in getattr(data, name):
            yield {RECORD: name.removesuffix("s"), **told}


def _events(data: PersonData, raw_ids: Mapping[UserId, str]) -> Iterator[dict[str, Any]]:
    orders: dict[tuple[str, str], dict[str, Any]] = {}
    for fact in data.facts:
        if DERIVED in (fact["told"].get("flags") or ()):
            continue  # follows again from the return of the order
        event_id, line = _local_id(fact["told"])
        if line is None:
            yield _event(fact, event_id, raw_ids) | _line_of(fact["told"])
            continue
        key = fact["told"]["source"], event_id
        order = orders.setdefault(key, {**_event(fact, event_id, raw_ids), "lines": []})
        order.pop("item_id", None)
        order["lines"].append({"line": line, "item_id": fact["item_id"], **_line_of(fact["told"])})
    yield from orders.values()


def _event(fact: Mapping[str, Any], event_id: str, raw_ids: Mapping[UserId, str]) -> dict[str, Any]:
    told = fact["told"]
    row = {
        "event_id": event_id,
        "event_type": _KINDS[fact["type"]].value,
        "event_time": _iso(told["ts"]),
        **_who(fact, raw_ids),
        **{name: told.get(name) for name in _AS_TOLD},
        **{name: fact[name] for name in ("item_id", "query")},
        "context": _context(told),
        "consent": _consent(told),
        "attributes": json.loads(told["attributes"]) if told.get("attributes") else None,
        "impression": _shown(fact),
    }
    return {name: value for name, value in row.items() if value is not None}


def _who(fact: Mapping[str, Any], raw_ids: Mapping[UserId, str]) -> dict[str, str]:
    person = fact["user_id"]
    name = raw_ids.get(person, person)
    if fact["customer"] is not None:  # a login: from the visitor to the customer
        customer = fact["customer"]
        return {"user_id": raw_ids.get(customer, customer), "anonymous_id": name}
    return {"user_id": name} if person.startswith("c_") else {"anonymous_id": name}


def _local_id(told: Mapping[str, Any]) -> tuple[str, int | None]:
    """The client's own event id, and the line where the stored id names one."""
    found = _LOCAL_ID.fullmatch(told["event_id"].removeprefix(f"{told['source']}|"))
    if found is None:
        return told["event_id"], None
    event_id, line = found.groups()
    return event_id.replace("||", "|"), None if line is None else int(line)


def _line_of(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in _OF_LINE if told.get(name) is not None}


def _context(told: Mapping[str, Any]) -> dict[str, Any] | None:
    found = json.loads(told["context"]) if told.get("context") else {}
    found |= {name: told[name] for name in ("device_type", "region") if told.get(name)}
    return found or None


def _consent(told: Mapping[str, Any]) -> dict[str, Any] | None:
    if not told.get("consent"):
        return None
    said: dict[str, Any] = json.loads(told["consent"])
    return {**said, "at": _iso(said["at"])} if "at" in said else said


def _shown(fact: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    items = fact["shown_items"]
    if items is None:
        return None
    places = fact["shown_positions"] or range(1, len(items) + 1)
    return [
        {"item_id": item_id, "position": position}
        for item_id, position in zip(items, places, strict=True)
    ]


def _iso(ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")

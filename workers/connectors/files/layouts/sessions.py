"""Logs of sessions: YooChoose, Diginetica, RetailRocket, OTTO, and sequences without times."""

from collections.abc import Mapping
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
    event,
    ordered,
)
from workers.connectors.files.layouts.values import (
    known,
    milliseconds,
    number,
    price,
    seconds,
    wall,
)
from workers.intake.times import EpochMs

_RETAILROCKET = {"view": "view", "addtocart": "cart", "transaction": "purchase"}
_OTTO = {"clicks": "click", "carts": "cart", "orders": "purchase"}
APART_MS = 60_000
"""Between the events of a sequence that has no times."""


def _visitor(session: str, user: str | None = None) -> dict[str, str]:
    """Whoever is behind a session: a customer, else a visitor of that session alone."""
    found = {"session_id": session}
    return found | ({"user_id": user} if user else {"anonymous_id": f"session {session}"})


def _yoochoose_click(cells: Mapping[str, str], place: Place, _: Options) -> Told:
    when, item_id = wall(cells["time"], "UTC"), cells["item_id"]
    # Letters and single digits are shop windows; longer numbers are brands.
    window = cells["category"]
    category = window if window.isdigit() and 1 <= int(window) <= 12 else None
    brand = window if window.isdigit() and len(window) > 2 else None
    item = Item(
        item_id=ItemId(item_id),
        categories=None if category is None else (category,),
        brand=brand,
        updated_at=when,
    )
    told = [event("click", place, item_id, when, **_visitor(cells["session_id"]))]
    return Told(told, [item] if category or brand else [])


def _yoochoose_buy(cells: Mapping[str, str], place: Place, options: Options) -> Told:
    count = number(cells["quantity"])
    # Nought means that nobody knows.
    paid = price(cells["price"], options.currency) if cells["price"] != "0" else {}
    session = cells["session_id"]
    return Told(
        [
            event(
                "purchase",
                place,
                cells["item_id"],
                wall(cells["time"], "UTC"),
                quantity=count or None,
                **paid,
                **_visitor(session),
            )
        ]
    )


def _prepared(cells: Mapping[str, str], place: Place, _: Options) -> Told:
    when = seconds(cells["Time"])
    return Told([event("click", place, cells["ItemId"], when, **_visitor(cells["SessionId"]))])


def _diginetica_view(cells: Mapping[str, str], place: Place, _: Options) -> Told:
    who = _visitor(cells["sessionId"], known(cells["userId"]))
    return Told([event("view", place, cells["itemId"], _since_first_query(cells), **who)])


def _diginetica_purchase(cells: Mapping[str, str], place: Place, _: Options) -> Told:
    who = _visitor(cells["sessionId"], known(cells["userId"]))
    bought = event("purchase", place, cells["itemId"], _since_first_query(cells), **who)
    return Told([ordered(bought, cells["ordernumber"], place)])


def _since_first_query(cells: Mapping[str, str]) -> EpochMs:
    return EpochMs(wall(cells["eventdate"], "UTC") + milliseconds(cells["timeframe"]))


def _diginetica_category(cells: Mapping[str, str], _: Place, __: Options) -> Told:
    return Told(items=[Item(item_id=ItemId(cells["itemId"]), categories=(cells["categoryId"],))])


def _retailrocket(cells: Mapping[str, str], place: Place, _: Options) -> Told:
    kind, when = behaviour(cells["event"], _RETAILROCKET), milliseconds(cells["timestamp"])
    found = event(kind, place, cells["itemid"], when, anonymous_id=cells["visitorid"])
    order = known(cells["transactionid"])
    if kind == "purchase" and order is not None:
        found = ordered(found, order, place)
    return Told([found])


def _retailrocket_property(cells: Mapping[str, str], _: Place, __: Options) -> Told:
    when, item_id = milliseconds(cells["timestamp"]), ItemId(cells["itemid"])
    if cells["property"] == "categoryid":
        return Told(items=[Item(item_id=item_id, categories=(cells["value"],), updated_at=when)])
    if cells["property"] == "available":
        is_hidden = cells["value"] != "1"
        return Told(items=[Item(item_id=item_id, is_hidden=is_hidden, updated_at=when)])
    return Told()


def _otto(record: Mapping[str, Any], place: Place, _: Options) -> Told:
    session = str(record["session"])
    return Told([_otto_event(one, k, session, place) for k, one in enumerate(record["events"])])


def _otto_event(one: Mapping[str, Any], k: int, session: str, place: Place) -> Event:
    kind, when = behaviour(one["type"], _OTTO), milliseconds(one["ts"])
    found = event(kind, place, str(one["aid"]), when, **_visitor(session))
    found["event_id"] = f"{place.event_id}:{k}"
    if kind == "purchase":
        found["order_id"] = found["event_id"]
    return found


def _sequence(record: Mapping[str, Any], place: Place, options: Options) -> Told:
    """Items in order, after the person's name where there is one."""
    cells = record["cells"]
    if options.begin is None or not cells:
        raise Unusable("invalid_time")
    found = []
    for k, item_id in enumerate(cells):
        when = EpochMs(options.begin + k * APART_MS)
        one = event("click", place, item_id, when, **_visitor(f"{place.file} {place.line}"))
        found.append(one | {"event_id": f"{place.event_id}:{k}"})
    return Told(found)


def _person_sequence(record: Mapping[str, Any], place: Place, options: Options) -> Told:
    person, *items = record["cells"]
    told = _sequence({"cells": items}, place, options)
    for one in told.events:
        del one["anonymous_id"], one["session_id"]
        one["user_id"] = person
    return told


_DIGINETICA_NAMES = {
    "session_id": "sessionId", "user_id": "userId", "item_id": "itemId"
}  # fmt: skip
_CLICKS = ("session_id", "time", "item_id", "category")
_BUYS = ("session_id", "time", "item_id", "price", "quantity")

LAYOUTS = (
    Layout(
        name="yoochoose-clicks",
        title="YooChoose (RecSys 2015), clicks; no heading",
        read=_yoochoose_click,
        columns=_CLICKS,
        places=_CLICKS,
    ),
    Layout(
        name="yoochoose-buys",
        title="YooChoose (RecSys 2015), purchases; no heading",
        read=_yoochoose_buy,
        columns=_BUYS,
        places=_BUYS,
    ),
    Layout(
        name="session-rec",
        title="sessions as session-rec prepares them: SessionId, ItemId, Time in seconds",
        read=_prepared,
        columns=("SessionId", "ItemId", "Time"),
        delimiter="auto",
    ),
    Layout(
        name="diginetica-views",
        title="Diginetica (CIKM Cup 2016), views",
        read=_diginetica_view,
        columns=("sessionId", "userId", "itemId", "timeframe", "eventdate"),
        names=_DIGINETICA_NAMES,
        delimiter="auto",
    ),
    Layout(
        name="diginetica-purchases",
        title="Diginetica (CIKM Cup 2016), purchases",
        read=_diginetica_purchase,
        columns=("sessionId", "userId", "timeframe", "eventdate", "ordernumber", "itemId"),
        names=_DIGINETICA_NAMES,
        delimiter="auto",
    ),
    Layout(
        name="diginetica-categories",
        title="Diginetica (CIKM Cup 2016), categories of the items",
        read=_diginetica_category,
        columns=("itemId", "categoryId"),
        names=_DIGINETICA_NAMES,
        delimiter="auto",
    ),
    Layout(
        name="retailrocket",
        title="RetailRocket, events",
        read=_retailrocket,
        columns=("timestamp", "visitorid", "event", "itemid", "transactionid"),
    ),
    Layout(
        name="retailrocket-properties",
        title="RetailRocket, categories and availability of the items over time",
        read=_retailrocket_property,
        columns=("timestamp", "itemid", "property", "value"),
    ),
    Layout(
        name="otto",
        title="OTTO (Kaggle 2022), one session a line",
        read=_otto,
        form="json",
    ),
    Layout(
        name="sequences",
        title="one session a line, items separated by blanks; no times",
        read=_sequence,
        form="words",
        needs=("begin",),
    ),
    Layout(
        name="person-sequences",
        title="one person a line, then their items in order; no times",
        read=_person_sequence,
        form="words",
        needs=("begin",),
    ),
)

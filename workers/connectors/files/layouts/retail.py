"""Logs with prices: REES46's shops and the UCI wholesaler."""

from collections.abc import Mapping

from graph.domain.catalogue import Item
from graph.domain.ids import ItemId
from workers.connectors.files.layouts.layout import (
    Layout,
    Options,
    Place,
    Told,
    Unusable,
    behaviour,
    event,
    ordered,
)
from workers.connectors.files.layouts.values import known, minor, number, price, wall

_REES46 = {
    "view": "view", "cart": "cart", "remove_from_cart": "uncart", "purchase": "purchase"
}  # fmt: skip
_SLASHED = "%m/%d/%Y %H:%M"


def _rees46(cells: Mapping[str, str], place: Place, options: Options) -> Told:
    when = wall(cells["event_time"].removesuffix(" UTC"), "UTC")
    item_id, currency = cells["product_id"], options.currency
    kind = behaviour(cells["event_type"], _REES46)
    who = {"user_id": cells["user_id"], "session_id": known(cells["user_session"])}
    # Prices below nought are faults of the file; what happened did happen.
    cost = {} if cells["price"].startswith("-") else price(cells["price"], currency)
    found = event(kind, place, item_id, when, **who, **cost)
    if kind == "purchase" and who["session_id"] is not None:
        found = ordered(found, who["session_id"], place, **cost)
    path = cells["category_code"].replace(".", "/") or cells["category_id"]
    item = Item(
        item_id=ItemId(item_id),
        categories=None if known(path) is None else (path,),
        brand=known(cells["brand"]),
        price_minor=minor(cells["price"], currency) if cost and currency else None,
        currency=currency if cost else None,
        updated_at=when,
    )
    return Told([found], [item])


def _online_retail(cells: Mapping[str, str], place: Place, options: Options) -> Told:
    invoice, item_id = cells["InvoiceNo"], cells["StockCode"]
    count, zone = number(cells["Quantity"]), options.zone or "UTC"
    if invoice.startswith("C") or count < 0:
        raise Unusable("a cancellation that names no order")
    if count == 0:
        raise Unusable("invalid_type: quantity")
    form = _SLASHED if "/" in cells["InvoiceDate"] else None
    when = wall(cells["InvoiceDate"], zone, form)
    currency = options.currency or "GBP"
    cost = {"price_minor": minor(cells["UnitPrice"], currency), "currency": currency}
    customer = known(cells["CustomerID"])
    who = {"user_id": customer} if customer else {"anonymous_id": f"invoice {invoice}"}
    found = event("purchase", place, item_id, when, **who)
    found = ordered(found, invoice, place, quantity=count, **cost)
    del found["item_id"]
    item = Item(item_id=ItemId(item_id), title=cells["Description"] or None, updated_at=when)
    return Told([found], [item] if item.title else [])


LAYOUTS = (
    Layout(
        name="rees46",
        title="REES46 multi-category, cosmetics and electronics shops",
        read=_rees46,
        columns=(
            *("event_time", "event_type", "product_id", "category_id", "category_code"),
            *("brand", "price", "user_id", "user_session"),
        ),
    ),
    Layout(
        name="online-retail",
        title="UCI Online Retail I and II, London time, pounds",
        read=_online_retail,
        columns=(
            *("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate"),
            *("UnitPrice", "CustomerID"),
        ),
        names={"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"},
        encodings=("utf-8-sig", "iso-8859-1"),
        usual=Options(zone="Europe/London", currency="GBP"),
    ),
)

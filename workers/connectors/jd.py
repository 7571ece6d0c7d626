"""
JD: orders by time of change, cancelled ones, and refunds of after-sales service.

Source:
    JD Open Platform: jingdong.pop.order.search (windows of a month at most, 50 rows a page, the
    fields must be named, three months back), jingdong.pop.afs.soa.refundapply.queryPageList
    (orders that were cancelled before delivery), jingdong.asc.serviceAndRefund.view.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workers.connectors.calls import within
from workers.connectors.connector import (
    DAY_MS,
    MINUTE_MS,
    Raw,
    Reach,
    beijing_wall,
    from_beijing,
)
from workers.connectors.errors import PlatformTrouble
from workers.connectors.jos import Jos
from workers.connectors.money import yuan
from workers.connectors.orders import Line, numbered, purchase, refund, whole
from workers.connectors.paging import Record, from_last_page, in_order, listed

PAGE = 50
ORDERS = "jingdong.pop.order.search"
ORDER = "jingdong.pop.order.get"
CANCELLED = "jingdong.pop.afs.soa.refundapply.queryPageList"
SERVICED = "jingdong.asc.serviceAndRefund.view"

LOOK_BACK_MS = 10 * DAY_MS
"""Refunds are found by when they were approved, and are paid only days later."""

_FIELDS = (
    "orderId,orderState,orderStartTime,paymentConfirmTime,modified,pin,open_id_buyer,itemInfoList"
)
_STATES = (
    "WAIT_SELLER_STOCK_OUT,WAIT_GOODS_RECEIVE_CONFIRM,WAIT_SELLER_DELIVERY,PAUSE,LOCKED,"
    "FINISHED_L,TRADE_CANCELED"
)
_GRANTED = frozenset({3, 5, 6, 9})
"""Passed by JD's accounts, passed by hand, stopped on the way, closed by force."""

_PAID_BACK = 13


class Jd:
    """What was bought in a shop of JD, and what was given back."""

    name = "jd"
    # Orders may be asked for by the month, but refunds by ten days of approval at most.
    reach = Reach(step_ms=60 * MINUTE_MS, longest_ms=9 * DAY_MS, history_ms=89 * DAY_MS)

    def __init__(self, jos: Jos, *, item_field: str = "skuId") -> None:
        """
        Args:
            item_field: which id of an article is the shop's own: ``skuId``, ``wareId``,
                ``outerSkuId``.
        """
        self._jos, self._item_field = jos, item_field

    def read(self, since_ms: int, until_ms: int) -> Iterator[Raw]:
        """Orders that were changed in a window, and refunds approved in the ten days before."""
        window = {"start_date": beijing_wall(since_ms), "end_date": beijing_wall(until_ms)}
        for order in self._orders(window):
            if _is_bought(order):
                yield self._purchase(order)
        approved, end = beijing_wall(until_ms - LOOK_BACK_MS), beijing_wall(until_ms)
        known: dict[str, Record] = {}
        for one in self._cancelled(approved, end):
            yield self._cancellation(one, known)
        for one in self._serviced(approved, end):
            yield self._service(one, known)

    def _orders(self, window: Mapping[str, str]) -> list[Record]:
        asked = {
            **window, "order_state": _STATES, "optional_fields": _FIELDS, "dateType": "0",
            "sortType": "0",
        }  # fmt: skip

        def page(number: int) -> tuple[int, list[Record]]:
            answer = self._jos.ask(ORDERS, **asked, page=str(number), page_size=str(PAGE))
            result = within(answer, "searchorderinfo_result")
            return _sure(number, result, "orderTotal", "orderInfoList", within(result, "apiResult"))

        return _all(page, modified="modified", key="orderId")

    def _cancelled(self, since: str, until: str) -> list[Record]:
        asked = {"checkTimeStart": since, "checkTimeEnd": until}

        def page(number: int) -> tuple[int, list[Record]]:
            answer = self._jos.ask(CANCELLED, **asked, pageIndex=number, pageSize=PAGE)
            result = within(answer, "queryResult")
            return _sure(number, result, "totalCount", "result", result)

        found = _all(page, modified="checkTime", key="id")
        return [one for one in found if one.get("status") in _GRANTED]

    def _serviced(self, since: str, until: str) -> list[Record]:
        asked = {"approveTimeBegin": since, "approveTimeEnd": until}

        def page(number: int) -> tuple[int, list[Record]]:
            answer = self._jos.ask(SERVICED, **asked, pageNumber=number, pageSize=PAGE)
            result = within(answer, "pageResult")
            return _sure(number, result, "totalCount", "data", result)

        found = _all(page, modified="completeTime", key="afsRefundId")
        return [one for one in found if one.get("status") == _PAID_BACK]

    def _purchase(self, order: Record) -> Raw:
        return purchase(
            order_id=str(order["orderId"]),
            user_id=_buyer(order),
            # Paid on delivery, an order has no time of payment for days, and then another one.
            event_time=from_beijing(order.get("orderStartTime")),
            lines=[line for _, line in self._lines(order)],
        )

    def _cancellation(self, one: Record, known: dict[str, Record]) -> Raw:
        order = self._order(str(one.get("orderId")), known)
        return refund(
            refund_id=f"c{one['id']}",
            order_id=str(one.get("orderId")),
            user_id=_buyer(order),
            event_time=from_beijing(one.get("applyTime")),
            lines=None,
        )

    def _service(self, one: Record, known: dict[str, Record]) -> Raw:
        bill = within(one, "sameOrderServiceBill")
        order = self._order(str(bill.get("orderId")), known)
        lines = self._lines(order)
        if len(lines) > 1:
            # What names no article of several is refused, for a person to say which it was.
            lines = [pair for pair in lines if pair[0] == str(bill.get("wareId"))]
        paid_back = yuan(one.get("refoundAmount"))
        return refund(
            refund_id=f"s{one['afsRefundId']}",
            order_id=str(bill.get("orderId")),
            user_id=_buyer(order),
            event_time=from_beijing(one.get("completeTime")),
            lines=[line.taken_back(quantity=1, amount=paid_back) for _, line in lines[:1]],
        )

    def _order(self, order_id: str, known: dict[str, Record]) -> Record:
        if order_id not in known:
            answer = self._jos.ask(ORDER, order_id=order_id, optional_fields=_FIELDS)
            known[order_id] = within(answer, "orderDetailInfo", "orderInfo")
        return known[order_id]

    def _lines(self, order: Record) -> list[tuple[str, Line]]:
        """Each line by the number that after-sales service knows its article by."""
        found = within(order, "itemInfoList")
        return [
            (str(one.get("skuId")), self._line(number, one))
            for number, one in numbered(found, key=lambda one: one.get("skuId"))
        ]

    def _line(self, number: int, one: Record) -> Line:
        item_id = one.get(self._item_field)
        price, pieces = yuan(one.get("jdPrice")), whole(one.get("itemTotal"))
        is_known = isinstance(price, int) and isinstance(pieces, int)
        amount = price * pieces if is_known else price
        return Line(number, None if item_id is None else str(item_id), pieces, amount)


def _all(
    page: Callable[[int], tuple[int, list[Record]]], *, modified: str, key: str
) -> list[Record]:
    total, only = page(1)
    records = only if total <= PAGE else from_last_page(total, PAGE, lambda n: page(n)[1])
    return in_order(records, modified=modified, key=key)


def _sure(
    number: int, result: Record, count: str, rows: str, told: Mapping[str, Any]
) -> tuple[int, list[Record]]:
    """How many there are, and those of a page, where the platform says that it succeeded."""
    if told.get("success") is not True:
        raise PlatformTrouble("the platform says that it did not succeed")
    total = int(within(result, count))
    return total, listed(result.get(rows), is_due=total > (number - 1) * PAGE)


def _is_bought(order: Record) -> bool:
    paid = str(order.get("paymentConfirmTime") or "")
    # A time before there were orders stands for none.
    return order.get("orderState") != "TRADE_CANCELED" or paid > "2000"


def _buyer(order: Record) -> Any:
    return order.get("open_id_buyer") or order.get("pin")

"""
Taobao and Tmall: trades by time of change, their details, and refunds.

Source:
    Taobao Open Platform: taobao.trades.sold.increment.get (windows of a day at most, half an hour
    advised, three months back, pages from the last to the first), taobao.trade.fullinfo.get,
    taobao.refunds.receive.get.
"""

from collections.abc import Iterator, Mapping
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
from workers.connectors.money import yuan
from workers.connectors.orders import Line, numbered, purchase, refund
from workers.connectors.paging import Record, from_last_page, in_order, listed
from workers.connectors.top import Top

PAGE = 100
TRADES = "taobao.trades.sold.increment.get"
DETAILS = "taobao.trade.fullinfo.get"
REFUNDS = "taobao.refunds.receive.get"

_DETAIL_FIELDS = (
    "tid,created,pay_time,modified,buyer_open_uid,buyer_nick,"
    "orders.oid,orders.num_iid,orders.outer_iid,orders.outer_sku_id,orders.num,"
    "orders.divide_order_fee,orders.payment"
)
_REFUND_FIELDS = "refund_id,tid,oid,num,refund_fee,created,modified,end_time,status"


class Taobao:
    """What was bought in a shop of Taobao or Tmall, and what was given back."""

    name = "taobao"
    reach = Reach(step_ms=30 * MINUTE_MS, longest_ms=DAY_MS, history_ms=89 * DAY_MS)

    def __init__(self, top: Top, *, item_field: str = "num_iid") -> None:
        """
        Args:
            item_field: which id of an article is the shop's own: ``num_iid``, ``outer_iid``,
                ``outer_sku_id``.
        """
        self._top, self._item_field = top, item_field

    def read(self, since_ms: int, until_ms: int) -> Iterator[Raw]:
        """Paid trades and granted refunds that were changed in a window."""
        window = {
            "start_modified": beijing_wall(since_ms),
            "end_modified": beijing_wall(until_ms),
        }
        trades = self._list(TRADES, "trade", "tid", window | {"fields": "tid,modified"})
        granted = window | {"fields": _REFUND_FIELDS, "status": "SUCCESS"}
        refunds = self._list(REFUNDS, "refund", "refund_id", granted)
        details: dict[str, Record] = {}
        for trade in trades:
            detail = self._detail(str(trade["tid"]), details)
            if detail.get("pay_time"):
                yield self._purchase(detail)
        for one in refunds:
            yield self._refund(one, self._detail(str(one.get("tid")), details))

    def _list(self, method: str, kind: str, key: str, asked: Mapping[str, str]) -> list[Record]:
        def page(number: int, *, is_counted: bool = False) -> tuple[int, list[Record]]:
            answer = self._top.ask(
                method,
                **asked,
                page_no=str(number),
                page_size=str(PAGE),
                use_has_next=str(not is_counted).lower(),
            )
            # Without records the list itself is left out; without this beside it, it is no answer.
            more = within(answer, "total_results" if is_counted else "has_next")
            found = within(answer, f"{kind}s", kind) if answer.get(f"{kind}s") else None
            return int(more), listed(found, is_due=more)

        total, only = page(1, is_counted=True)
        records = only if total <= PAGE else from_last_page(total, PAGE, lambda n: page(n)[1])
        return in_order(records, modified="modified", key=key)

    def _detail(self, tid: str, known: dict[str, Record]) -> Record:
        if tid not in known:
            answer = self._top.ask(DETAILS, tid=tid, fields=_DETAIL_FIELDS)
            within(answer, "trade", "tid")
            known[tid] = answer["trade"]
        return known[tid]

    def _purchase(self, trade: Record) -> Raw:
        return purchase(
            order_id=str(trade["tid"]),
            user_id=_buyer(trade),
            event_time=from_beijing(trade["pay_time"]),
            lines=[line for _, line in self._lines(trade)],
        )

    def _refund(self, one: Record, trade: Record) -> Raw:
        lines = [line for oid, line in self._lines(trade) if oid == str(one.get("oid"))]
        taken_back = [
            line.taken_back(quantity=one.get("num"), amount=yuan(one.get("refund_fee")))
            for line in lines
        ]
        return refund(
            refund_id=str(one["refund_id"]),
            order_id=str(one.get("tid")),
            user_id=_buyer(trade),
            event_time=from_beijing(one.get("end_time") or one.get("created")),
            lines=taken_back,
        )

    def _lines(self, trade: Record) -> list[tuple[str, Line]]:
        orders = within(trade, "orders", "order")
        return [
            (str(one["oid"]), self._line(number, one))
            for number, one in numbered(orders, key=lambda one: one["oid"])
        ]

    def _line(self, number: int, one: Record) -> Line:
        paid = one.get("divide_order_fee") or one.get("payment")
        item_id = one.get(self._item_field)
        return Line(number, None if item_id is None else str(item_id), one.get("num"), yuan(paid))


def _buyer(trade: Record) -> Any:
    # The nick is masked for most applications; the open id is always whole.
    return trade.get("buyer_open_uid") or trade.get("buyer_nick")

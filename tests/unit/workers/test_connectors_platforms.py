"""What Taobao and JD say, and what is made of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.factories import PSEUDONYMS
from tests.platforms.setups import KeptTokens
from tests.platforms.shop import BEGIN_MS, HOUR_MS, FakeClock
from workers.connectors import registry
from workers.connectors.connector import Clock, Raw
from workers.connectors.errors import PlatformRefused, PlatformTrouble
from workers.connectors.jd import CANCELLED, ORDER, ORDERS, SERVICED
from workers.connectors.settings import ConnectorSettings
from workers.connectors.taobao import DETAILS, REFUNDS, TRADES
from workers.intake.door import Door
from workers.intake.rows import Status

Answers = dict[str, Any]
SETTINGS = ConnectorSettings(
    taobao_app_key="k", taobao_app_secret="s", jd_app_key="k", jd_app_secret="s"
)  # type: ignore[arg-type]


def read(name: str, answers: Answers, **settings: Any) -> list[Raw]:
    """What a connector makes of these answers, by method."""

    def answer(request: httpx.Request) -> httpx.Response:
        said = {key: value[0] for key, value in parse_qs(request.content.decode()).items()}
        found = answers[said["method"]]
        body = found(said) if isinstance(found, Callable) else found
        if "error_response" not in body:
            wrapped = said["method"].removeprefix("taobao.").replace(".", "_")
            body = {wrapped + ("_response" if name == "taobao" else "_responce"): body}
        return httpx.Response(200, json=body)

    clock = FakeClock()
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        means = registry.Means(http, KeptTokens(), Clock(clock.now_ms, clock.sleep))
        connector = registry.build(name, SETTINGS.model_copy(update=settings), means)
        return list(connector.read(BEGIN_MS - HOUR_MS, BEGIN_MS))


NOTHING = {"total_results": 0}
TRADE = {
    "tid": 17, "pay_time": "2026-03-02 00:10:00", "buyer_nick": "n**", "buyer_open_uid": "AAH",
    "orders": {"order": [
        {"oid": 19, "num_iid": 8, "outer_iid": "B", "num": 1, "payment": "2.00"},
        {"oid": 18, "num_iid": 7, "outer_iid": "A", "num": 2, "divide_order_fee": "30.50"},
    ]},
}  # fmt: skip
TAOBAO: Answers = {
    TRADES: {"total_results": 1, "trades": {"trade": [{"tid": 17, "modified": "x"}]}},
    DETAILS: {"trade": TRADE},
    REFUNDS: NOTHING,
}


def test_a_trade_is_a_purchase_with_its_lines() -> None:
    """Lines are numbered by the id of the sub-order, in whatever order they are listed."""
    assert read("taobao", TAOBAO) == [{
        "event_type": "purchase", "event_id": "17", "order_id": "17", "user_id": "AAH",
        "event_time": "2026-03-02 00:10:00+08:00",
        "lines": [
            {"line": 1, "item_id": "7", "quantity": 2, "amount_minor": 3050, "currency": "CNY"},
            {"line": 2, "item_id": "8", "quantity": 1, "amount_minor": 200, "currency": "CNY"},
        ],
    }]  # fmt: skip


def test_j6_a_time_without_a_zone_is_beijing_time() -> None:
    """Stored as the afternoon before in UTC, and on the day of the shop in its own zone."""
    checked = Door(PSEUDONYMS).check(
        read("taobao", TAOBAO), default_source="taobao", received_ms=BEGIN_MS + HOUR_MS
    )
    at = datetime.fromtimestamp(checked.events[0].ts / 1_000, UTC)
    assert at == datetime(2026, 3, 1, 16, 10, tzinfo=UTC)
    assert at.astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat() == "2026-03-02"


def test_the_shop_may_know_its_items_by_its_own_ids() -> None:
    """Those that the tracker sends as well."""
    (row,) = read("taobao", TAOBAO, taobao_item_field="outer_iid")
    assert [line["item_id"] for line in row["lines"]] == ["A", "B"]


def test_an_unpaid_trade_is_no_purchase() -> None:
    """It may become one: then it is changed, and comes again."""
    unpaid = {name: value for name, value in TRADE.items() if name != "pay_time"}
    assert read("taobao", TAOBAO | {DETAILS: {"trade": unpaid}}) == []


@pytest.mark.parametrize(
    "answer",
    [{}, {"total_results": 3}, {"trades": {"trade": []}}, {"total_results": 1, "trades": {}},
     {"total_results": 1, "trades": {"trade": [{"modified": "x"}]}}],
)  # fmt: skip
def test_a_list_that_lacks_what_it_counts_is_an_error(answer: dict[str, Any]) -> None:
    """Nothing is taken for an evening without orders that may be a fault."""
    with pytest.raises(PlatformTrouble):
        read("taobao", TAOBAO | {TRADES: answer})


def fault(code: int, sub_code: str, message: str = "") -> Answers:
    """An error of Taobao in place of the list."""
    said = {"code": code, "sub_code": sub_code, "msg": "no", "sub_msg": message}
    return TAOBAO | {TRADES: {"error_response": said}}


def test_a_spent_quota_of_the_day_is_waited_for_until_midnight_in_beijing() -> None:
    """The test begins at midnight there, and its clock has hardly moved."""
    with pytest.raises(PlatformTrouble, match="limited-by-app-access-count") as said:
        read("taobao", fault(7, "accesscontrol.limited-by-app-access-count"))
    assert said.value.retry_after_s == 86_400


def test_a_ban_of_some_seconds_is_waited_for() -> None:
    """And the call is made again."""
    first = [fault(7, "x", "This ban will last for 3 more seconds")[TRADES]]
    answers = TAOBAO | {TRADES: lambda _: first.pop() if first else TAOBAO[TRADES]}
    assert len(read("taobao", answers)) == 1


@pytest.mark.parametrize(
    ("code", "sub_code", "kind"),
    [(15, "isp.top-remote-connection-timeout", PlatformTrouble),
     (41, "isv.invalid-parameter", PlatformRefused),
     (25, "isv.invalid-signature", PlatformRefused)],
)  # fmt: skip
def test_errors_of_the_platform_may_pass_and_errors_of_ours_do_not(
    code: int, sub_code: str, kind: type[Exception]
) -> None:
    """The sentence names the codes, and nothing of what was asked."""
    with pytest.raises(kind, match=f"^error {code} {sub_code}$"):
        read("taobao", fault(code, sub_code, "secret 13800138000"))


JD_ORDER = {
    "orderId": "31", "orderState": "FINISHED_L", "orderStartTime": "2026-03-02 00:10:00",
    "modified": "x", "pin": "jd_anna", "itemInfoList": [
        {"skuId": "8", "jdPrice": "5.00", "itemTotal": "3"},
        {"skuId": "7", "jdPrice": "1.10", "itemTotal": "1"},
    ],
}  # fmt: skip
DONE = {"success": True, "totalCount": 0}


def jd(orders: list[dict[str, Any]], **more: Any) -> Answers:
    """Answers of JD with these orders."""
    listed = {"apiResult": {"success": True}, "orderTotal": len(orders), "orderInfoList": orders}
    return {
        ORDERS: {"code": "0", "searchorderinfo_result": listed},
        ORDER: {"code": "0", "orderDetailInfo": {"orderInfo": JD_ORDER}},
        CANCELLED: {"code": "0", "queryResult": DONE},
        SERVICED: {"code": "0", "pageResult": DONE},
        **more,
    }


def test_an_order_of_jd_is_a_purchase_with_its_lines() -> None:
    """The price is of a piece, the amount of all of them."""
    (row,) = read("jd", jd([JD_ORDER]))
    assert row["lines"] == [
        {"line": 1, "item_id": "7", "quantity": 1, "amount_minor": 110, "currency": "CNY"},
        {"line": 2, "item_id": "8", "quantity": 3, "amount_minor": 1500, "currency": "CNY"},
    ]
    assert (row["user_id"], row["event_time"]) == ("jd_anna", "2026-03-02 00:10:00+08:00")


def test_what_was_cancelled_before_it_was_paid_was_never_bought() -> None:
    """JD writes a time before all orders where there is none."""
    never = JD_ORDER | {"orderState": "TRADE_CANCELED", "paymentConfirmTime": "0001-01-01 00:00:00"}
    assert read("jd", jd([never])) == []
    paid = never | {"paymentConfirmTime": "2026-03-02 00:11:00"}
    assert len(read("jd", jd([paid]))) == 1


@pytest.mark.parametrize(("status", "rows"), [(3, 1), (9, 1), (0, 0), (4, 0)])
def test_a_cancellation_that_was_granted_takes_the_whole_order_back(status: int, rows: int) -> None:
    """Those that wait or were turned down do not."""
    one = {"id": 5, "orderId": 31, "status": status, "applyTime": "2026-03-01 23:00:00"}
    granted = {"code": "0", "queryResult": {"success": True, "totalCount": 1, "result": [one]}}
    found = read("jd", jd([], **{CANCELLED: granted}))
    assert len(found) == rows
    if found:
        assert found[0]["order_id"] == "31"
        assert "lines" not in found[0]


@pytest.mark.parametrize(("ware", "status"), [(8, Status.ACCEPTED), (99, Status.REJECTED)])
def test_a_refund_that_names_no_line_of_several_is_left_to_a_person(
    ware: int, status: Status
) -> None:
    """Guessing would take the interest in the wrong article back."""
    one = {
        "afsRefundId": 6, "status": 13, "completeTime": "2026-03-01 23:00:00",
        "refoundAmount": "5.00", "sameOrderServiceBill": {"orderId": 31, "wareId": ware},
    }  # fmt: skip
    paid = {"code": "0", "pageResult": {"success": True, "totalCount": 1, "data": [one]}}
    rows = read("jd", jd([], **{SERVICED: paid}))
    checked = Door(PSEUDONYMS).check(rows, default_source="jd", received_ms=BEGIN_MS)
    assert [result.status for result in checked.rows] == [status]


@pytest.mark.parametrize(
    "result", [{"apiResult": {"success": False}, "orderTotal": 0, "orderInfoList": []}, {}]
)
def test_jd_must_say_that_it_succeeded(result: dict[str, Any]) -> None:
    """An empty list alone is not enough."""
    with pytest.raises(PlatformTrouble):
        read("jd", jd([], **{ORDERS: {"code": "0", "searchorderinfo_result": result}}))


@pytest.mark.parametrize(("code", "kind"), [("65", PlatformTrouble), ("24", PlatformRefused)])
def test_errors_of_jd(code: str, kind: type[Exception]) -> None:
    """Too slow just now, or not allowed at all."""
    with pytest.raises(kind, match=f"error {code}"):
        read("jd", jd([], **{ORDERS: {"error_response": {"code": code, "zh_desc": "?"}}}))


def test_a_price_that_makes_no_sense_is_refused_at_the_door_and_not_lost() -> None:
    """The row goes to the dead letters as it came."""
    wrong = json.loads(json.dumps(TRADE).replace("30.50", "free"))
    rows = read("taobao", TAOBAO | {DETAILS: {"trade": wrong}})
    (result,) = Door(PSEUDONYMS).check(rows, default_source="taobao", received_ms=BEGIN_MS).rows
    assert result.code == "invalid_money"

"""The gateway of JD, as far as the connector needs it."""

import hashlib
import json
from typing import Any

from flask import Flask, Response, request

from tests.platforms.server import Platform, as_json
from tests.platforms.shop import DAY_MS, Refund, Sale, ms, wall

APP_KEY, APP_SECRET = "jd-key", "jd-app-secret"
_SIGNED = ("360buy_param_json", "access_token", "app_key", "method", "timestamp", "v")


def gateway(platform: Platform) -> Flask:
    """The application."""
    app = Flask("jd")
    methods = {
        "jingdong.pop.order.search": _orders,
        "jingdong.pop.order.get": _order,
        "jingdong.pop.afs.soa.refundapply.queryPageList": _cancelled,
        "jingdong.asc.serviceAndRefund.view": _serviced,
    }

    @app.post("/routerjson")
    def ask() -> Response:
        said = request.form.to_dict()
        asked = json.loads(said["360buy_param_json"])
        platform.asked.append({"method": said["method"], **asked})
        if bad := platform.faults.strike():
            return bad
        if code := _problem(platform, said, asked):
            return as_json({"error_response": {"code": code, "zh_desc": "no", "en_desc": "no"}})
        name = said["method"].replace(".", "_") + "_responce"
        return as_json({name: {"code": "0", **methods[said["method"]](platform, asked)}})

    @app.post("/oauth2/refresh_token")
    def refresh() -> Response:
        if request.form["app_secret"] != APP_SECRET:
            return as_json({"code": 400, "msg": "no"})
        access, again = platform.renew()
        return as_json({"access_token": access, "refresh_token": again, "expires_in": 86_400})

    return app


def _problem(platform: Platform, said: dict[str, str], asked: dict[str, Any]) -> str | None:
    text = APP_SECRET + "".join(name + said[name] for name in _SIGNED) + APP_SECRET
    if said["sign"] != hashlib.md5(text.encode()).hexdigest().upper():
        return "12"
    if not platform.takes(said["access_token"]):
        return "19"
    if "start_date" in asked:
        is_wide = ms(asked["end_date"]) - ms(asked["start_date"]) > 31 * DAY_MS
        if is_wide or int(asked["page_size"]) > 50 or not asked.get("optional_fields"):
            return "44"
    return None


def _orders(platform: Platform, asked: dict[str, Any]) -> dict:
    found = platform.shop.changed(ms(asked["start_date"]), ms(asked["end_date"]))
    page = platform.page(found, int(asked["page"]), int(asked["page_size"]))
    listed = [_shown(platform, sale) for sale in page]
    return {
        "searchorderinfo_result": {
            "apiResult": {"success": True}, "orderTotal": len(found), "orderInfoList": listed,
        }
    }  # fmt: skip


def _order(platform: Platform, asked: dict[str, Any]) -> dict:
    sale = platform.shop.sale(int(asked["order_id"]))
    return {"orderDetailInfo": {"orderInfo": _shown(platform, sale)}}


def _shown(platform: Platform, sale: Sale) -> dict:
    now = platform.clock.ms
    is_paid = sale.is_paid and sale.paid_ms <= now
    return {
        "orderId": str(sale.number),
        "orderState": "WAIT_SELLER_STOCK_OUT" if is_paid else "TRADE_CANCELED",
        "orderStartTime": wall(sale.paid_ms),
        "paymentConfirmTime": wall(sale.paid_ms) if is_paid else "0001-01-01 00:00:00",
        "modified": wall(sale.modified_ms(now)),
        "open_id_buyer": sale.buyer,
        "itemInfoList": [
            {"skuId": str(item), "jdPrice": f"{fen / 100:.2f}", "itemTotal": str(pieces)}
            for item, pieces, fen in sale.lines
        ],
    }


def _serviced(platform: Platform, asked: dict[str, Any]) -> dict:
    def row(sale: Sale, one: Refund) -> dict:
        item, _, fen = sale.lines[one.line]
        return {
            "afsRefundId": one.number, "status": 13, "completeTime": wall(one.granted_ms),
            "refoundAmount": f"{fen / 100:.2f}",
            "sameOrderServiceBill": {"orderId": sale.number, "wareId": item},
        }  # fmt: skip

    window = ms(asked["approveTimeBegin"]), ms(asked["approveTimeEnd"])
    found = [row(sale, one) for sale, one in platform.shop.refunds(*window)]
    return {"pageResult": {"success": True, **_paged(found, asked["pageNumber"], "data")}}


def _cancelled(platform: Platform, asked: dict[str, Any]) -> dict:
    return {"queryResult": {"success": True, **_paged([], asked["pageIndex"], "result")}}


def _paged(found: list[dict], number: int, name: str) -> dict:
    return {"totalCount": len(found), name: found[(number - 1) * 50 : number * 50]}

"""The gateway of Taobao, as far as the connector needs it."""

import hashlib
import hmac
import json

from flask import Flask, Response, request

from tests.platforms.server import Platform, as_json
from tests.platforms.shop import DAY_MS, Refund, Sale, ms, wall

APP_KEY, APP_SECRET = "12345678", "taobao-app-secret"


def gateway(platform: Platform) -> Flask:
    """The application."""
    app = Flask("taobao")
    methods = {
        "taobao.trades.sold.increment.get": _trades,
        "taobao.trade.fullinfo.get": _trade,
        "taobao.refunds.receive.get": _refunds,
        "taobao.top.auth.token.refresh": _refresh,
    }

    @app.post("/router/rest")
    def ask() -> Response:
        said = request.form.to_dict()
        platform.asked.append(said)
        if bad := platform.faults.strike():
            return bad
        if problem := _problem(platform, said):
            code, sub_code = problem
            return as_json({"error_response": {"code": code, "msg": "no", "sub_code": sub_code}})
        method = said["method"]
        name = method.removeprefix("taobao.").replace(".", "_") + "_response"
        return as_json({name: methods[method](platform, said)})

    return app


def _problem(platform: Platform, said: dict[str, str]) -> tuple[int, str] | None:
    rest = {name: value for name, value in said.items() if name != "sign"}
    text = "".join(f"{name}{rest[name]}" for name in sorted(rest)).encode()
    expected = hmac.new(APP_SECRET.encode(), text, hashlib.sha256).hexdigest().upper()
    if said.get("sign") != expected:
        return 25, "isv.invalid-signature"
    if abs(ms(said["timestamp"]) - platform.clock.ms) > 600_000:
        return 31, "isv.invalid-timestamp"
    is_refresh = said["method"].endswith("token.refresh")
    if not is_refresh and not platform.takes(said.get("session")):
        return 27, "session-expired"
    if "start_modified" in said:
        since, until = ms(said["start_modified"]), ms(said["end_modified"])
        if until - since > DAY_MS or platform.clock.ms - since > 92 * DAY_MS:
            return 41, "isv.invalid-parameter"
    return None


def _window(said: dict[str, str]) -> tuple[int, int]:
    return ms(said["start_modified"]), ms(said["end_modified"])


def _listed(said: dict[str, str], kind: str, rows: list[dict], total: int) -> dict:
    answer = {f"{kind}s": {kind: rows}} if rows else {}
    if said["use_has_next"] == "true":
        return answer | {"has_next": int(said["page_no"]) * int(said["page_size"]) < total}
    return answer | {"total_results": total}


def _trades(platform: Platform, said: dict[str, str]) -> dict:
    now = platform.clock.ms
    # Newest first, which is why the last page has to be read first.
    found = platform.shop.changed(*_window(said))[::-1]
    rows = [
        {"tid": sale.number, "modified": wall(sale.modified_ms(now))}
        for sale in platform.page(found, int(said["page_no"]), int(said["page_size"]))
    ]
    return _listed(said, "trade", rows, len(found))


def _trade(platform: Platform, said: dict[str, str]) -> dict:
    sale = platform.shop.sale(int(said["tid"]))
    now = platform.clock.ms
    trade = {
        "tid": sale.number, "created": wall(sale.placed_ms), "buyer_open_uid": sale.buyer,
        "modified": wall(sale.modified_ms(now)),
        "orders": {"order": [_order(sale, number) for number in range(len(sale.lines))]},
    }  # fmt: skip
    if sale.is_paid and sale.paid_ms <= now:
        trade["pay_time"] = wall(sale.paid_ms)
    return {"trade": trade}


def _order(sale: Sale, number: int) -> dict:
    item, pieces, fen = sale.lines[number]
    return {
        "oid": sale.number * 100 + number, "num_iid": item, "num": pieces,
        "divide_order_fee": f"{fen / 100:.2f}",
    }  # fmt: skip


def _refunds(platform: Platform, said: dict[str, str]) -> dict:
    def row(pair: tuple[Sale, Refund]) -> dict:
        sale, one = pair
        _, pieces, fen = sale.lines[one.line]
        at = wall(one.granted_ms)
        return {
            "refund_id": one.number, "tid": sale.number, "oid": sale.number * 100 + one.line,
            "num": pieces, "refund_fee": f"{fen / 100:.2f}", "created": at, "modified": at,
            "end_time": at, "status": "SUCCESS",
        }  # fmt: skip

    found = [row(pair) for pair in platform.shop.refunds(*_window(said))][::-1]
    number, size = int(said["page_no"]), int(said["page_size"])
    return _listed(said, "refund", found[(number - 1) * size : number * size], len(found))


def _refresh(platform: Platform, said: dict[str, str]) -> dict:
    access, refresh = platform.renew()
    return {"token_result": json.dumps({"access_token": access, "refresh_token": refresh})}

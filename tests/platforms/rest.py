"""The interface of a shop's own till, with OAuth2 and cursors."""

from flask import Flask, Response, request

from tests.platforms.server import Platform, as_json
from tests.platforms.shop import Sale, wall

CLIENT_SECRET = "till-client-secret"

FORM = """
name = "till"
base_url = "{url}/api"
per_second = 20
step_minutes = 120

[auth]
kind = "oauth2"
token_url = "{url}/token"
client_id = "shopgraph"

[[lists]]
path = "orders"
since = "changed_from"
until = "changed_to"
asks = "ms"
records = "orders"
modified = "changed"
only = "paid"
pages = {{ kind = "cursor", next = "next" }}
time = {{ zone = "Asia/Shanghai" }}
[lists.event]
event_type = "'purchase'"
event_id = "id"
order_id = "id"
user_id = "customer"
event_time = "paid"
currency = "'CNY'"
lines = "lines[].{{line: number, item_id: sku, quantity: pieces, amount: total}}"

[[lists]]
path = "refunds"
since = "changed_from"
until = "changed_to"
asks = "ms"
records = "refunds"
modified = "at"
pages = {{ kind = "number", total = "total", size = 20, size_parameter = "size" }}
time = {{ zone = "Asia/Shanghai" }}
[lists.event]
event_type = "'refund'"
event_id = "join('', ['refund-', id])"
order_id = "order"
user_id = "customer"
event_time = "at"
currency = "'CNY'"
lines = "[{{line: line, item_id: sku, quantity: pieces, amount: total}}]"
"""


def interface(platform: Platform) -> Flask:
    """The application."""
    app = Flask("till")

    def ask(answer) -> Response:
        platform.asked.append(request.args.to_dict())
        if bad := platform.faults.strike():
            return bad
        if not platform.takes(request.headers.get("Authorization", "").removeprefix("Bearer ")):
            return as_json({"error": "invalid_token"}, 401)
        return as_json(answer(platform, *_window()))

    @app.post("/token")
    def token() -> Response:
        if request.authorization is None or request.authorization.password != CLIENT_SECRET:
            return as_json({"error": "invalid_client"}, 401)
        return as_json({"access_token": platform.renew()[0], "token_type": "Bearer"})

    app.add_url_rule("/api/orders", view_func=lambda: ask(_orders), endpoint="orders")
    app.add_url_rule("/api/refunds", view_func=lambda: ask(_refunds), endpoint="refunds")
    return app


def _window() -> tuple[int, int]:
    return int(request.args["changed_from"]), int(request.args["changed_to"])


def _orders(platform: Platform, since: int, until: int) -> dict:
    now, size = platform.clock.ms, 15
    found = platform.shop.changed(since, until)
    # The cursor is time and id of the last record, so equal times on a border do no harm.
    after = tuple(int(part) for part in request.args.get("cursor", "0.0").split("."))
    left = [sale for sale in found if (sale.modified_ms(now), sale.number) > after]
    rows = [_shown(sale, now) for sale in left[:size]]
    last = left[size - 1] if len(left) > size else None
    cursor = f"{last.modified_ms(now)}.{last.number}" if last else None
    if platform.faults.stirs and last:
        platform.shop.stir(left)
    return {"orders": rows, "next": cursor}


def _shown(sale: Sale, now: int) -> dict:
    return {
        "id": str(sale.number), "customer": sale.buyer, "changed": wall(sale.modified_ms(now)),
        "paid": wall(sale.paid_ms) if sale.is_paid and sale.paid_ms <= now else None,
        "lines": [_line(sale, number) for number in range(len(sale.lines))],
    }  # fmt: skip


def _line(sale: Sale, number: int) -> dict:
    item, pieces, fen = sale.lines[number]
    return {"number": number + 1, "sku": str(item), "pieces": pieces, "total": f"{fen / 100:.2f}"}


def _refunds(platform: Platform, since: int, until: int) -> dict:
    found = [
        {
            "id": str(one.number), "order": str(sale.number), "customer": sale.buyer,
            "at": wall(one.granted_ms), "line": one.line + 1, **_line(sale, one.line),
        }
        for sale, one in platform.shop.refunds(since, until)
    ]  # fmt: skip
    number, size = int(request.args["page"]), int(request.args["size"])
    return {"refunds": found[(number - 1) * size : number * size], "total": len(found)}

"""A shopper's life through the API, and a search of every store, for the tests of erasure."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import redis
from flask.testing import FlaskClient
from neo4j import ManagedTransaction

from graph.domain.events import Event
from tests import shop
from tests.factories import ADMIN, SERVER

BOOKS = ("Tombstone",)
"""Labels of nodes that may name somebody who was erased."""


def row(event_id: str, kind: str = "view", *, ago_s: float = 60, **told: Any) -> dict[str, Any]:
    """An event of a moment ago."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago_s))
    return {"event_id": event_id, "event_type": kind, "event_time": at, **told}


def send(client: FlaskClient, *rows: dict[str, Any]) -> list[str | None]:
    """The code of each row; its status where there is none."""
    answer = client.post("/v1/events", json=list(rows), headers=SERVER)
    assert answer.status_code in (202, 422), answer.text
    return [one.get("code") or one["status"] for one in answer.json["rows"]]


def erase(client: FlaskClient, **who: str) -> dict[str, Any]:
    """The receipt of an erasure."""
    answer = client.post("/v1/erasures", json=who, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json
    return receipt


def life(user_id: str, visitor_id: str, mark: str) -> list[dict[str, Any]]:
    """One event of every kind; texts and ids of events hold the mark."""
    who = {"user_id": user_id, "device_id": f"device-{mark}", "session_id": f"session-{mark}"}
    on = {**who, "item_id": "item-1"}
    order = {"order_id": f"order-{mark}"}
    lines = [{"line": 1, "item_id": "item-1", "quantity": 2}, {"line": 2, "item_id": "item-2"}]
    shown = [{"item_id": "item-1", "position": 1}]
    return [
        row(f"{mark}-0", anonymous_id=visitor_id, item_id="item-2", ago_s=600),
        row(f"{mark}-1", "identify", user_id=user_id, anonymous_id=visitor_id, ago_s=500),
        row(f"{mark}-2", "search", **who, query=f"shoes for {mark}"),
        row(f"{mark}-3", "impression", **who, impression=shown),
        *(row(f"{mark}-{kind}", kind, **on) for kind in ("click", "view", "cart", "uncart")),
        *(row(f"{mark}-{kind}", kind, **on) for kind in ("favorite", "unfavorite")),
        *(row(f"{mark}-{kind}", kind, **on) for kind in ("inquiry", "share")),
        row(f"{mark}-review", "review", **on, rating=5),
        row(f"{mark}-buy", "purchase", **who, **order, lines=lines, ago_s=50),
        row(f"{mark}-back", "refund", **who, **order, ago_s=20),
    ]


def shop_until_now() -> list[Event]:
    """The small shop, with its last event an hour ago, so that what is sent now is its present."""
    events = shop.checkerboard()
    shift = int(time.time() * 1_000) - 3_600_000 - max(one.ts for one in events)
    return [one._replace(ts=one.ts + shift, received_ts=one.ts + shift) for one in events]


def everything(tx: ManagedTransaction) -> list[str]:
    """Each node and edge of the graph as text, but for the marks of who was erased."""
    nodes = tx.run(
        "MATCH (n) WHERE NONE(label IN labels(n) WHERE label IN $books OR label STARTS WITH '__')"
        " RETURN labels(n) AS labels, properties(n) AS told",
        books=list(BOOKS),
    )
    found = [json.dumps([row["labels"], row["told"]], sort_keys=True, default=str) for row in nodes]
    edges = tx.run(
        "MATCH (a)-[r]->(b) WHERE type(r) <> 'MIGRATED_TO' RETURN type(r) AS type,"
        " properties(r) AS told, coalesce(a.user_id, a.item_id, a.coupon_id, a.campaign_id) AS a,"
        " coalesce(b.user_id, b.item_id, b.text, b.path, b.device_id, b.event_id) AS b"
    )
    return sorted(
        found
        + [
            json.dumps([row["type"], row["a"], row["b"], row["told"]], sort_keys=True, default=str)
            for row in edges
        ]
    )


def held_in_valkey(redis_url: str) -> Iterator[str]:
    """Each key with its value as text, but for the marks of who was erased."""
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(count=1_000):
            if not key.startswith(b"shopgraph:denied:"):
                yield f"{key!r} {_value(client, key)!r}"


def _value(client: "redis.Redis[bytes]", key: bytes) -> Any:
    read = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    return read[client.type(key)](key)


def files_with(folder: Path, texts: list[str]) -> list[str]:
    """Files below a folder, arrays unpacked, in which one of the texts stands."""
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(text in _text_of(path) for text in texts)
    ]


def _text_of(path: Path) -> str:
    if path.suffix != ".npz":
        return path.read_bytes().decode("latin-1")
    with np.load(path, allow_pickle=False) as stored:
        return " ".join(str(stored[name].tolist()) for name in stored.files)

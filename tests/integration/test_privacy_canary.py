"""A canary is led through every feature, erased, and then sought everywhere."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from neo4j import ManagedTransaction

from backend.wiring import parts
from graph import campaigns, models
from graph.client import Graph
from graph.domain.campaigns import Campaign, Redemption, Targeted
from graph.domain.ids import CampaignId, CouponId, UserId
from ml.forgetting import people_in
from tests import shop
from tests.factories import ADMIN, SERVER
from tests.privacy import (
    erase,
    everything,
    files_with,
    held_in_valkey,
    life,
    row,
    send,
    shop_until_now,
)
from tests.runs import trained
from workers.intake.deadletters import DeadLetters
from workers.settings import JobSettings

Drain = Callable[[], object]

CUSTOMER, VISITOR, MARK = "canary-0815@nest", "tab-canary-0815", "canary-mark"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The model store that the API of the test reads."""
    return tmp_path / "models"


def test_m1_a_canary_that_was_erased_is_found_nowhere(
    app: Flask,
    client: FlaskClient,
    drain: Drain,
    graph: Graph,
    redis_url: str,
    store: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Graph, stream, dead letters, caches, pages, model files, coupon lists, answers, log."""
    shop.fill(graph, shop_until_now())
    names = _lead(app, client, drain, graph, store)
    texts = [CUSTOMER, VISITOR, MARK, *names]
    assert files_with(store, names), "the model knew the canary"
    assert [one for one in held_in_valkey(redis_url) if names[0] in one], "so did Valkey"
    there = graph.read(_edges_of, names)
    with structlog.testing.capture_logs() as log:
        receipt = erase(client, user_id=CUSTOMER)
    counts = receipt["counts"]
    assert {n: k for n, k in counts.items() if n.startswith("edges.")} == there
    assert (counts["nodes.User"], counts["dead_letters"], counts["stream.events"]) == (2, 1, 1)
    assert counts["pages"] >= 1
    assert counts["models.rows"] == len(list(store.glob("m-*")))
    drain()
    _nowhere(texts, graph.read(everything), "graph")
    _nowhere(texts, held_in_valkey(redis_url), "Valkey")
    assert files_with(store, texts) == []
    _nowhere(texts, [json.dumps(receipt), str(log), *capfd.readouterr()], "receipt and log")
    _nowhere(names, _answers(client), "answers")


def _lead(app: Flask, client: FlaskClient, drain: Drain, graph: Graph, store: Path) -> list[UserId]:
    """Through every feature; gives the pseudonyms."""
    goods = [{"item_id": f"item-{n}", "title": "thing", "categories": ["c"]} for n in range(20)]
    assert client.post("/v1/items", json=goods, headers=SERVER).json["stored"] == 20
    send(client, *life(CUSTOMER, VISITOR, MARK))
    drain()
    with app.app_context():
        made = parts().pseudonyms
    names = [made.customer(CUSTOMER)[0], made.visitor(VISITOR)]
    summer = CampaignId("summer")
    graph.write(
        campaigns.upsert, [Campaign(campaign_id=summer, kind="A", starts_at=1, ends_at=1 << 50)]
    )
    graph.write(campaigns.target, [Targeted(user_id=names[0], campaign_id=summer, ts=5)])
    used = Redemption(user_id=names[0], coupon_id=CouponId("ten"), campaign_id=summer, ts=9)
    graph.write(campaigns.redeem, [used])
    settings = JobSettings(redis_url="redis://nowhere", model_store=store, lease_ttl_s=30)
    run = trained(graph, settings)
    live = graph.read(models.live)
    assert live is not None, run.error
    assert names[0] in people_in(store / live.version)
    with app.app_context():
        parts().models.refresh()
    for call in ("recommendations", "person-data"):
        query = {"user_id": CUSTOMER} | ({"limit": 2} if call == "recommendations" else {})
        assert client.get(f"/v1/{call}", query_string=query, headers=ADMIN).status_code == 200
    client.put("/v1/consent", json={"user_id": CUSTOMER, "marketing": "granted"}, headers=ADMIN)
    bad = {"event_type": "view", "event_id": f"{MARK}-bad", "event_time": "soon"}
    send(client, {**bad, "user_id": CUSTOMER}, row(f"{MARK}-w", user_id=CUSTOMER, item_id="item-3"))
    return names


def _edges_of(tx: ManagedTransaction, names: list[str]) -> dict[str, int]:
    """Edges at these people by type, each once."""
    rows = tx.run(
        "MATCH (u:User)-[r]-() WHERE u.user_id IN $names WITH DISTINCT r"
        " RETURN 'edges.' + type(r) AS type, count(*) AS n",
        names=names,
    )
    return {row["type"]: row["n"] for row in rows}


def _answers(client: FlaskClient) -> list[str]:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("recommendations", {"user_id": CUSTOMER}),
        ("person-data", {"user_id": CUSTOMER}),
        ("coupon-targets", {"campaign_id": "summer"}),
        ("audience", {"item_id": "item-1"}),
        ("audit", {}),
        ("dead-letters", {}),
    ]
    return [
        client.get(f"/v1/{call}", query_string=query, headers=ADMIN).text for call, query in asked
    ]


def _nowhere(texts: list[Any], held: Any, where: str) -> None:
    found = [(text, one[:200]) for one in held for text in texts if str(text) in one]
    assert found == [], where


def test_without_the_key_no_mobile_number_is_found_and_with_it_each_one_is(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph, redis_url: str
) -> None:
    """Whoever has the whole database tries every number of a range, by every plain hash."""
    numbers = [f"138000{n:05d}" for n in range(5_000)]
    known = numbers[123::997]
    send(client, *(row(f"e-{k}", user_id=one, item_id="i") for k, one in enumerate(known)))
    drain()
    dump = "\n".join([*graph.read(everything), *held_in_valkey(redis_url)])
    assert not [one for one in numbers if one in dump]
    guesses = (text for one in numbers for text in _hashes(one))
    assert not [one for one in guesses if one in dump]
    with app.app_context():
        with_key = parts().pseudonyms
    assert [one for one in numbers if with_key.customer(one)[0] in dump] == known


def _hashes(text: str) -> list[str]:
    """What somebody without the key can make of a number, as it would stand in a pseudonym."""
    forms = [f"{kind}{text}".encode() for kind in ("", "c\0", "c_")]
    made = [hashlib.sha256(form).digest() for form in forms]
    made += [hmac.digest(key, form, "sha256") for key in (b"", b"\0" * 32) for form in forms]
    short = [base64.urlsafe_b64encode(one[:16]).decode().rstrip("=") for one in made]
    return [*short, *(one.hex()[:16] for one in made)]


def test_m6_two_opposite_shoppers_who_want_nothing_personal_get_one_list_at_once(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph, store: Path
) -> None:
    """Within a second, in the same process; neither is among the targets of a campaign."""
    shop.fill(graph, shop_until_now())
    for who, colour in (("even", 0), ("odd", 1)):
        send(
            client,
            *(
                row(f"{who}-{n}", "purchase", user_id=who, item_id=f"item-{2 * n + colour}",
                    order_id=f"{who}-{n}")
                for n in range(5)
            ),
        )  # fmt: skip
    drain()
    settings = JobSettings(redis_url="redis://nowhere", model_store=store, lease_ttl_s=30)
    run = trained(graph, settings)
    assert run.error is None
    summer = {"campaign_id": "summer", "starts_at": "2020-01-01T00:00:00Z", "kind": "A",
              "ends_at": "2099-01-01T00:00:00Z", "holdout_share": 0.0,
              "coupons": [{"coupon_id": "ten", "item_ids": ["item-0", "item-1"]}]}  # fmt: skip
    assert client.post("/v1/campaigns", json=summer, headers=SERVER).status_code < 300
    with app.app_context():
        parts().models.refresh()

    def lists() -> list[Any]:
        both = [
            client.get(f"/v1/recommendations?user_id={who}&limit=8", headers=SERVER).json
            for who in ("even", "odd")
        ]
        return [(one["level"], [(i["item_id"], i["score"]) for i in one["items"]]) for one in both]

    def targets() -> set[str]:
        asked = client.get("/v1/coupon-targets?campaign_id=summer", headers=SERVER).json
        return {one["user_id"] for one in asked["items"]}

    even, odd = lists()
    assert even != odd
    assert {even[0], odd[0]} <= {"personal", "session"}
    assert targets() == {"even", "odd"}
    for who in ("even", "odd"):
        said = {"user_id": who, "personalisation": "denied"}
        assert client.put("/v1/consent", json=said, headers=ADMIN).status_code == 200
    even, odd = lists()
    assert even == odd
    assert even[0] == "popular"
    assert targets() == set()


def test_the_dead_letters_of_a_canary_are_counted(client: FlaskClient, redis_url: str) -> None:
    """Each row that was put aside is one."""
    bad = {"event_type": "view", "event_time": "soon", "user_id": CUSTOMER}
    send(client, *({**bad, "event_id": f"{n}"} for n in range(3)))
    assert DeadLetters(redis_url).depth() == 3
    assert erase(client, user_id=CUSTOMER)["counts"] == {"dead_letters": 3}

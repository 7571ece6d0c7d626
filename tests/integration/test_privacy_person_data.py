"""What is held of a person, handed to them: all of it, and fit to be taken in elsewhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.wiring import parts
from graph import campaigns, counts
from graph.client import Graph
from graph.domain.campaigns import Campaign, Redemption, Targeted
from graph.domain.ids import CampaignId, CouponId
from tests.factories import ADMIN, SERVER
from tests.integration.conftest import WIPE
from tests.privacy import life, send
from workers.connectors.files.json_lines import JsonLines
from workers.connectors.imports import ImportRun
from workers.connectors.rejects import RejectFile
from workers.intake.door import Door
from workers.intake.stream import EventStream

Drain = Callable[[], object]


def asked(client: FlaskClient, **who: str) -> list[dict[str, Any]]:
    """The lines of somebody's data."""
    answer = client.get("/v1/person-data", query_string=who, headers=ADMIN)
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def behaviour(graph: Graph) -> dict[str, int]:
    """How much is in the graph of each kind that events make."""
    found = graph.read(counts.counts)
    nodes = {
        name: n for name, n in found.nodes.items() if name not in ("Audit", "KeyRing", "Lease")
    }
    return nodes | found.relationships


def test_what_was_handed_out_makes_the_same_counts_elsewhere(
    app: Flask, client: FlaskClient, drain: Drain, graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """Every kind of event, the login and the returned order; no line is rejected."""
    send(client, *life("ann", "tab-ann", "ann"))
    drain()
    before = behaviour(graph)
    lines = asked(client, user_id="ann")
    path = tmp_path / "ann.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    graph.run_alone(WIPE)
    with app.app_context():
        run = ImportRun(Door(parts().pseudonyms), EventStream(redis_url), graph)
    with RejectFile(tmp_path / "rejects", resumed=False) as rejects:
        done = run.send(JsonLines(path), rejects, after=0)
    assert (done.rejected, done.repeated) == (0, 0)
    drain()
    assert behaviour(graph) == before


def test_all_that_is_keyed_to_the_person_is_there_and_nothing_of_others(
    client: FlaskClient, drain: Drain, graph: Graph, app: Flask
) -> None:
    """Profile with consent, devices, campaigns with their reason, coupons; the raw id; not ben."""
    send(client, *life("ann", "tab-ann", "ann"), *life("ben", "tab-ben", "ben"))
    drain()
    client.put("/v1/consent", json={"user_id": "ann", "marketing": "granted"}, headers=ADMIN)
    with app.app_context():
        person = parts().pseudonyms.customer("ann")[0]
    summer = CampaignId("summer")
    graph.write(campaigns.upsert, [Campaign(campaign_id=summer, kind="A", starts_at=1, ends_at=99)])
    sent = Targeted(user_id=person, campaign_id=summer, ts=5, rank=1, reason="likely")
    graph.write(campaigns.target, [sent])
    used = Redemption(user_id=person, coupon_id=CouponId("ten"), campaign_id=summer, ts=9)
    graph.write(campaigns.redeem, [used])
    lines = asked(client, user_id="ann")
    by_record = {line["record"]: line for line in lines if "record" in line and line.get("raw_id")}
    assert by_record["profile"]["consent_marketing"] == "granted"
    assert {line["record"] for line in lines if "record" in line} == {
        "profile", "device", "campaign", "coupon",
    }  # fmt: skip
    assert next(one for one in lines if one.get("record") == "campaign")["reason"] == "likely"
    assert {one["user_id"] for one in lines if "event_id" in one and "user_id" in one} == {"ann"}
    assert "ben" not in str(lines)


@pytest.mark.parametrize("who", [{"user_id": "nobody"}, {"anonymous_id": "nobody"}])
def test_of_a_stranger_there_is_nothing(client: FlaskClient, who: dict[str, str]) -> None:
    """An empty answer, and no error."""
    assert asked(client, **who) == []


def test_who_took_it_out_is_in_the_books_and_a_lesser_key_may_not(
    client: FlaskClient, app: Flask
) -> None:
    """By the name of the key and the pseudonym."""
    asked(client, user_id="ann")
    (act,) = client.get("/v1/audit", headers=ADMIN).json["items"]
    with app.app_context():
        person = parts().pseudonyms.customer("ann")[0]
    assert (act["act"], act["by"], act["about"]) == ("person_export", "ops", person)
    answer = client.get("/v1/person-data?user_id=ann", headers=SERVER)
    assert answer.status_code == 403

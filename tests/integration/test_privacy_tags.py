"""What is thought of a person can be looked at, and taken back."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from graph.client import Graph
from tests.factories import ADMIN, SERVER
from tests.integration.test_privacy_keys import past
from tests.privacy import row, send

Drain = Callable[[], object]


@pytest.fixture
def shopper(client: FlaskClient, drain: Drain) -> FlaskClient:
    """Ann looked at two boots and, before she logged in, at a hat."""
    goods = [
        {"item_id": item_id, "title": item_id, "categories": [category]}
        for item_id, category in (("boot-1", "boots"), ("boot-2", "boots"), ("hat-1", "hats"))
    ]
    client.post("/v1/items", json=goods, headers=SERVER)
    send(
        client,
        row("a", anonymous_id="tab", item_id="hat-1", ago_s=300),
        row("i", "identify", user_id="ann", anonymous_id="tab", ago_s=200),
        row("b", user_id="ann", item_id="boot-1"),
        row("c", user_id="ann", item_id="boot-2"),
    )
    drain()
    return client


def tags(client: FlaskClient) -> list[tuple[str, int]]:
    """Ann's tags, with how often."""
    asked = client.get("/v1/tags?user_id=ann", headers=ADMIN).json
    return [(one["tag"], one["events"]) for one in asked["items"]]


def drop(client: FlaskClient, tag: str) -> Any:
    """Have a tag of Ann's used no more."""
    return client.delete("/v1/tags", query_string={"user_id": "ann", "tag": tag}, headers=ADMIN)


def considered(client: FlaskClient) -> int:
    """How many people come into question for boots."""
    found: int = client.get("/v1/audience?item_id=boot-1", headers=SERVER).json["considered"]
    return found


def test_tags_are_listed_and_a_deleted_one_is_gone_for_good(
    shopper: FlaskClient, drain: Drain
) -> None:
    """Also of what the visitor did, and after more of the same; a second delete is a success."""
    assert tags(shopper) == [("boots", 2), ("hats", 1)]
    assert drop(shopper, "boots").json == {"tag": "boots", "deleted": True}
    assert drop(shopper, "boots").status_code == 200
    send(shopper, row("d", user_id="ann", item_id="boot-1", ago_s=1))
    drain()
    assert tags(shopper) == [("hats", 1)]


def test_no_answer_is_made_from_a_deleted_tag(
    shopper: FlaskClient, drain: Drain, graph: Graph
) -> None:
    """From the next answer on, for the visitor too, and with steps of a moment ago."""
    assert {one.item_id for one in past(shopper, user_id="ann")} == {"boot-1", "boot-2", "hat-1"}
    assert considered(shopper) == 1
    drop(shopper, "boots")
    for who in ({"user_id": "ann"}, {"anonymous_id": "tab"}):
        assert {one.item_id for one in past(shopper, **who)} == {"hat-1"}
    send(shopper, row("d", user_id="ann", item_id="boot-2", ago_s=1))
    drain()
    assert {one.item_id for one in past(shopper, user_id="ann")} == {"hat-1"}
    answer = shopper.get("/v1/recommendations?user_id=ann&limit=3", headers=SERVER).json
    assert "boot" not in str([one["reason"]["path"][:3] for one in answer["items"]])
    assert considered(shopper) == 0


def test_a_tag_that_nobody_has_changes_nothing(shopper: FlaskClient) -> None:
    """And leaves no line in the books."""
    assert drop(shopper, "no such category").status_code == 200
    assert shopper.get("/v1/audit", headers=ADMIN).json["items"] == []
    assert tags(shopper) == [("boots", 2), ("hats", 1)]

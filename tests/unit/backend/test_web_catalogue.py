"""Items, promotions and consent: told, stored, and felt by the next answer."""

from typing import Any

import pytest

from graph import items, promotions, users
from graph.domain.catalogue import Item
from tests.factories import ADMIN, NOW_MS, PSEUDONYMS, SERVER, FakeModel, world

ITEM: dict[str, Any] = {
    "item_id": "SKU-1",
    "title": "Tea",
    "categories": ["DRINKS/TEA", "GIFTS"],
    "price_minor": 1250,
    "currency": "CNY",
    "updated_at": "2025-10-09T08:00:00+08:00",
}
PROMOTION: dict[str, Any] = {
    "promotion_id": "p1",
    "kind": "display",
    "starts_at": "2025-10-01T00:00:00Z",
    "ends_at": "2025-10-08T00:00:00Z",
    "items": [{"item_id": "SKU-1", "starts": ["2025-10-01T00:00:00Z"], "stores": [3]}],
}


def told(here: Any, query: Any) -> Any:
    return next(args[0] for asked, args, _ in here.graph.asked if asked is query)


def test_an_item_is_stored_as_told() -> None:
    """Times become milliseconds UTC; what is not said stays unsaid."""
    here = world(answers={items.upsert: None})
    answer = here.client.post("/v1/items", headers=SERVER, json=ITEM)
    assert answer.status_code == 200
    assert (answer.json["stored"], answer.json["rejected"]) == (1, 0)
    assert told(here, items.upsert) == [
        Item(
            item_id="SKU-1",  # type: ignore[arg-type]
            title="Tea",
            categories=("DRINKS/TEA", "GIFTS"),
            price_minor=1250,
            currency="CNY",
            updated_at=1_759_968_000_000,
        )
    ]


def test_an_item_without_a_time_of_change_counts_as_changed_now() -> None:
    """The newest change wins, so every change needs a time."""
    here = world(answers={items.upsert: None})
    here.client.post("/v1/items", headers=SERVER, json={"item_id": "SKU-1", "is_hidden": True})
    (item,) = told(here, items.upsert)
    assert (item.updated_at, item.is_hidden, item.title) == (NOW_MS, True, None)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"item_id": "null"}, "invalid_id", "item_id"),
        ({"item_id": None}, "invalid_type", "item_id"),
        ({"categories": ""}, "invalid_type", "categories"),
        ({"categories": [None]}, "invalid_type", "categories.0"),
        ({"categories": [" "]}, "invalid_text", "categories"),
        ({"price_minor": -1}, "invalid_money", "price_minor"),
        ({"price_minor": "¥12.5"}, "invalid_money", "price_minor"),
        ({"price_minor": ""}, "invalid_money", "price_minor"),
        ({"price_minor": 12.5}, "invalid_money", "price_minor"),
        ({"currency": None}, "invalid_money", None),
        ({"is_hidden": "yes"}, "invalid_type", "is_hidden"),
        ({"updated_at": 1_759_968_000_000}, "invalid_time", "updated_at"),
        ({"colour": "red"}, "unknown_field", "colour"),
        ({"attributes": {"x": "y" * 9000}}, "invalid_text", "attributes"),
    ],
)
def test_a_faulty_item_is_refused_with_code_and_field(
    change: dict[str, Any], code: str, field: str | None
) -> None:
    """C5: stored or refused by rule, and the good row beside it is stored."""
    here = world(answers={items.upsert: None})
    answer = here.client.post(
        "/v1/items", headers=SERVER, json=[{**ITEM, **change}, {**ITEM, "item_id": "SKU-2"}]
    )
    assert answer.status_code == 200
    row = answer.json["rows"][0]
    assert (row["status"], row["code"], row["field"]) == ("rejected", code, field)
    assert [item.item_id for item in told(here, items.upsert)] == ["SKU-2"]
    alone = world().client.post("/v1/items", headers=SERVER, json={**ITEM, **change})
    assert (alone.status_code, alone.json["code"]) == (422, code)


@pytest.mark.parametrize("absent", ["title", "categories", "price_minor"])
def test_null_counts_as_not_said(absent: str) -> None:
    """C5: an item with little to say is stored."""
    here = world(answers={items.upsert: None})
    row = {**ITEM, absent: None}
    if absent == "price_minor":
        row["currency"] = None
    assert here.client.post("/v1/items", headers=SERVER, json=row).status_code == 200


def test_g1_an_item_that_is_hidden_stays_hidden_when_the_graph_goes_away() -> None:
    """The last word known counts while nobody can be asked."""
    here = world(FakeModel({"SKU-1": 1.0, "SKU-2": 0.5}), {items.upsert: None})
    here.graph.answers[items.servable] = set()
    here.client.post("/v1/items", headers=SERVER, json={**ITEM, "is_hidden": True})
    here.graph.is_away = True
    answer = here.client.get("/v1/popular-items", headers=SERVER)
    assert [place["item_id"] for place in answer.json["items"]] == ["SKU-2"]


def test_a_removed_item_can_be_removed_again() -> None:
    """A second delete gives the same success; an id nobody knows is 404."""
    here = world(answers={items.remove: None, items.details: {"SKU-1": Item(item_id="SKU-1")}})  # type: ignore[arg-type]
    first = here.client.delete("/v1/items?item_id=SKU-1", headers=SERVER)
    again = here.client.delete("/v1/items?item_id=SKU-1", headers=SERVER)
    assert first.json == again.json == {"item_id": "SKU-1", "deleted": True}
    unknown = here.client.delete("/v1/items?item_id=SKU-9", headers=SERVER)
    assert (unknown.status_code, unknown.json["code"]) == (404, "unknown_item")


def test_a_promotion_is_stored_with_its_weeks() -> None:
    """One row per promotion, its items inside."""
    here = world(answers={promotions.upsert: None})
    answer = here.client.post("/v1/promotions", headers=SERVER, json=PROMOTION)
    assert answer.status_code == 200
    (promotion,) = told(here, promotions.upsert)
    assert (promotion.kind, promotion.items[0].stores) == ("display", (3,))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ends_at": "2025-09-01T00:00:00Z"}, "time_out_of_range"),
        ({"depth": 2}, "out_of_range"),
        ({"items": [{"item_id": "SKU-1", "stores": [3]}]}, "invalid_type"),
    ],
)
def test_a_promotion_that_makes_no_sense_is_refused(change: dict[str, Any], code: str) -> None:
    """With its code."""
    answer = world().client.post("/v1/promotions", headers=SERVER, json={**PROMOTION, **change})
    assert (answer.status_code, answer.json["code"]) == (422, code)


def test_consent_is_stored_under_the_pseudonym() -> None:
    """Only what was said, purpose by purpose."""
    person = PSEUDONYMS.customer("u-1")[0]
    denials = {person: frozenset({"marketing"})}
    here = world(answers={users.set_consent: None, users.denials: denials})
    answer = here.client.put(
        "/v1/consent", headers=ADMIN, json={"user_id": "u-1", "marketing": "denied"}
    )
    assert answer.json["stored"] == {"marketing": "denied"}
    assert told(here, users.set_consent) == person
    assert here.online.denials == denials, "every process knows it before the answer"


def test_consent_is_told_with_time_and_source() -> None:
    """A purpose of which nothing is known is not there."""
    said = {"marketing": users.Consent(state="denied", at_ms=1_760_000_000_000, source="api")}
    here = world(answers={users.consents: said})
    answer = here.client.get("/v1/consent?user_id=u-1", headers=ADMIN)
    assert answer.json["consent"] == {
        "marketing": {"state": "denied", "at": "2025-10-09T08:53:20.000Z", "source": "api"}
    }


def test_staff_and_bots_are_told_apart_by_hand() -> None:
    """What is not said stays, and a call that says nothing is refused."""
    here = world(answers={users.set_flags: None, users.flag_counts: {"bots": 0, "staff": 1}})
    told_so = {"user_id": "u-1", "is_staff": True}
    answer = here.client.put("/v1/people", headers=ADMIN, json=told_so)
    assert answer.json == {"bots": 0, "staff": 1}
    assert here.client.put("/v1/people", headers=ADMIN, json={"user_id": "u"}).status_code == 422


@pytest.mark.parametrize(
    "body", [{"user_id": "u-1"}, {"marketing": "denied"}, {"user_id": "u-1", "marketing": "no"}]
)
def test_consent_that_says_nothing_is_refused(body: dict[str, str]) -> None:
    """A person and a purpose with one of three states."""
    assert world().client.put("/v1/consent", headers=ADMIN, json=body).status_code == 422

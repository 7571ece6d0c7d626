"""Campaigns, and whom to give their coupons."""

from typing import Any

import orjson
import pytest

from backend import campaigns, coupon_targets
from backend.coupon_targets import Reach
from backend.holdout import draw, is_held_out
from backend.targeting import most_people
from graph.candidates import Candidate
from graph.domain.campaigns import Campaign
from graph.errors import UnknownCampaign
from tests.factories import NOW_MS, PSEUDONYMS, SERVER, FakeModel, World, world

CAMPAIGN: dict[str, Any] = {
    "campaign_id": "c1",
    "kind": "A",
    "starts_at": "2025-10-01T00:00:00+08:00",
    "ends_at": "2025-11-01T00:00:00+08:00",
    "coupons": [{"coupon_id": "k1", "item_ids": ["a", "b"]}],
}
NO_HOLDOUT: Any = {"holdout_share": 0.0}


def campaign(**changes: Any) -> Campaign:
    told: dict[str, Any] = {"campaign_id": "c1", "kind": "A", "starts_at": 0, "ends_at": 1}
    return Campaign(**{**told, **changes})


def candidate(name: str, *touched: str, **changes: Any) -> Candidate:
    user_id, ref = PSEUDONYMS.customer(name)
    told: dict[str, Any] = {
        "user_id": user_id,
        "ref": ref,
        "embedding": [0.1],
        "touched_items": [(item_id, 7, NOW_MS - 1000) for item_id in touched],
    }
    return Candidate(**{**told, **changes})


def reaching(*people: Candidate, model: FakeModel | None = None, **limits: Any) -> World:
    reach = Reach(
        campaign=campaign(**{**NO_HOLDOUT, **limits}),
        candidates=list(people),
        coupon_items={"k1": ["a", "b"], "k2": ["c"]},  # type: ignore[dict-item]
    )
    served = model or FakeModel({"a": 0.5, "b": 0.2, "c": 0.4})
    return world(served, {coupon_targets.read_reach: reach})


def ask(here: World, query: str = "campaign_id=c1") -> dict[str, Any]:
    answer = here.client.get(f"/v1/coupon-targets?{query}", headers=SERVER)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = orjson.loads(answer.data)
    return told


def listed(told: dict[str, Any]) -> list[str]:
    return [row["user_id"] for row in told["items"]]


def test_people_are_ranked_by_the_chance_that_they_use_the_coupon() -> None:
    """By all the items they know that a coupon is for; with the shop's own ids."""
    told = ask(reaching(candidate("low", "b"), candidate("both", "a", "b"), candidate("mid", "c")))
    assert listed(told) == ["both", "mid", "low"]
    first = told["items"][0]
    assert first["chance"] == pytest.approx(1 - 0.5 * 0.8)
    assert (first["rank"], first["coupon_id"], first["arm"]) == (1, "k1", "treated")
    assert first["reason"] == {"code": "purchase_before", "item_id": "a"}


def test_a_chance_is_never_called_uplift() -> None:
    """The label says heuristic, and the uplift is unknown."""
    told = ask(reaching(candidate("u", "a")))
    assert told["label"] == "heuristic, not uplift"
    assert told["items"][0]["uplift"] is None


def test_somebody_who_knows_no_such_item_is_judged_by_the_likeliest_one() -> None:
    """They are still eligible."""
    told = ask(reaching(candidate("new")))
    assert told["items"][0]["chance"] == pytest.approx(0.5)
    assert told["items"][0]["reason"]["code"] == "similar_taste"


def test_people_without_a_stored_vector_are_counted_and_not_guessed() -> None:
    """Nothing tells their chance."""
    told = ask(reaching(candidate("u", "a"), candidate("new", embedding=None)))
    assert (told["eligible"], told["without_chance"], listed(told)) == (2, 1, ["u"])


def test_the_holdout_is_counted_and_never_listed() -> None:
    """Drawn before the ranking, whatever the chance."""
    people = [candidate(f"u{number}", "a") for number in range(200)]
    told = ask(reaching(*people, holdout_share=0.3))
    kept_out = {
        one.user_id for one in people if is_held_out(campaign(holdout_share=0.3), one.user_id)
    }
    assert told["holdout"] == len(kept_out) > 30
    names = {PSEUDONYMS.customer(name)[0] for name in listed(told)}
    assert names.isdisjoint(kept_out)


def test_the_holdout_is_the_same_for_ever_and_another_for_another_seed() -> None:
    """The draw depends on person, campaign and seed alone."""
    people = [candidate(f"u{number}").user_id for number in range(1000)]
    one = [draw(campaign(), user_id) for user_id in people]
    assert one == [draw(campaign(budget_minor=5, cost_minor=1), user_id) for user_id in people]
    assert one != [draw(campaign(seed="2"), user_id) for user_id in people]
    assert 0.06 < sum(value < 0.1 for value in one) / len(one) < 0.14


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({}, None),
        ({"max_people": 3}, 3),
        ({"budget_minor": 100, "cost_minor": 30}, 3),
        ({"budget_minor": 100, "cost_minor": 30, "max_people": 2}, 2),
        ({"budget_minor": 100}, 0),
        ({"budget_minor": 0, "cost_minor": 30}, 0),
    ],
)
def test_people_and_budget_are_hard_limits(limits: dict[str, int], most: int | None) -> None:
    """A budget whose cost nobody knows allows nobody."""
    assert most_people(campaign(**limits)) == most
    people = [candidate(f"u{number}", "a") for number in range(5)]
    told = ask(reaching(*people, **limits))
    assert told["selected"] == (5 if most is None else most)


def test_the_list_is_the_same_each_time() -> None:
    """Ties go by the pseudonym, so the same data give the same rows."""
    people = [candidate(f"u{number}", "a") for number in range(20)]
    one = ask(reaching(*people), "campaign_id=c1&limit=7")
    two = ask(reaching(*reversed(people)), "campaign_id=c1&limit=7")
    assert one["items"] == two["items"]
    assert len(one["items"]) == 7


def test_a_ref_of_another_key_is_left_out() -> None:
    """A list holds only people whom the shop can find."""
    told = ask(reaching(candidate("u", "a"), candidate("lost", "a", "b", ref="AAAA")))
    assert listed(told) == ["u"]


def test_without_a_model_nobody_is_guessed() -> None:
    """The list is empty and says why."""
    reach = Reach(campaign(), [candidate("u", "a")], {"k1": ["a"]})  # type: ignore[dict-item]
    told = ask(world(answers={coupon_targets.read_reach: reach}))
    assert (told["model_version"], told["items"], told["selected"]) == (None, [], 0)


def test_an_unknown_campaign_is_404() -> None:
    """By the table from error to status."""
    here = world(answers={coupon_targets.read_reach: UnknownCampaign("c9")})
    answer = here.client.get("/v1/coupon-targets?campaign_id=c9", headers=SERVER)
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_campaign")


def test_a_campaign_is_stored_with_its_coupons() -> None:
    """In one transaction."""
    here = world(answers={campaigns.store_campaigns: None})
    answer = here.client.post("/v1/campaigns", headers=SERVER, json=CAMPAIGN)
    assert answer.json["stored"] == 1
    (stored,), (coupon,) = here.graph.asked[-1][1]
    assert (stored.campaign_id, stored.holdout_share) == ("c1", 0.1)
    assert (coupon.coupon_id, coupon.item_ids) == ("k1", ("a", "b"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ends_at": CAMPAIGN["starts_at"]}, "time_out_of_range"),
        ({"budget_minor": 100, "currency": "CNY"}, "invalid_money"),
        ({"budget_minor": 100, "cost_minor": 5}, "invalid_money"),
        ({"holdout_share": 1.0}, "out_of_range"),
        ({"max_people": -1}, "out_of_range"),
        ({"coupons": [{"coupon_id": "k", "item_ids": []}]}, "out_of_range"),
        ({"starts_at": "2025-10-01T00:00:00"}, "time_without_zone"),
    ],
)
def test_a_campaign_that_makes_no_sense_is_refused(change: dict[str, Any], code: str) -> None:
    """With its code."""
    answer = world().client.post("/v1/campaigns", headers=SERVER, json={**CAMPAIGN, **change})
    assert (answer.status_code, answer.json["code"]) == (422, code)


@pytest.mark.parametrize("purpose", ["marketing", "personalisation"])
def test_i7_who_withdrew_a_moment_ago_is_in_no_list(purpose: str) -> None:
    """Every process knows it at once, the graph only when the event has been written."""
    here = reaching(candidate("u-1", "a"), candidate("u-2", "a"))
    here.online.note({PSEUDONYMS.customer("u-1")[0]: [purpose]})
    told = ask(here)
    assert listed(told) == ["u-2"]
    assert told["eligible"] == 1


def test_i7_no_list_while_nobody_can_tell_who_withdrew() -> None:
    """Rather no list than one with somebody who said no."""
    here = reaching(candidate("u-1", "a"))
    here.online.is_away = True
    answer = here.client.get("/v1/coupon-targets?campaign_id=c1", headers=SERVER)
    assert (answer.status_code, answer.json["code"]) == (503, "stream_unavailable")

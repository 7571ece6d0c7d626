"""Promotions and coupon campaigns: what they are about, and whom they may reach."""

from dataclasses import replace
from typing import Any

import pytest

from graph import campaigns, events, models, promotions, users
from graph.candidates import DAY_MS, candidates
from graph.client import Graph
from graph.domain.campaigns import Campaign, Coupon, Redemption, Targeted
from graph.domain.catalogue import PromotedItem, Promotion
from graph.domain.events import Event, EventType
from graph.domain.ids import CampaignId, CouponId, EventId, ItemId, PromotionId, UserId
from graph.domain.models import Slot
from graph.errors import UnknownCampaign

NOW = 100 * DAY_MS
SPRING = Campaign(
    campaign_id=CampaignId("spring"), kind="A", starts_at=NOW, ends_at=NOW + 9, cooling_off_days=7
)
OTHER = replace(SPRING, campaign_id=CampaignId("other"), budget_minor=100, currency="USD")
COUPON = Coupon(
    coupon_id=CouponId("k1"), campaign_id=SPRING.campaign_id, item_ids=(ItemId("A"), ItemId("B"))
)
ANNA, BOB = UserId("c_anna"), UserId("c_bob")


@pytest.fixture
def shop(graph: Graph) -> Graph:
    graph.write(campaigns.upsert, [SPRING, OTHER])
    graph.write(campaigns.upsert_coupons, [COUPON])
    people = [users.Sighting(user_id=ANNA, ref="sealed"), users.Sighting(user_id=BOB)]
    graph.write(users.meet, people)
    return graph


def reached(graph: Graph, campaign: Campaign = SPRING) -> list[UserId]:
    return [one.user_id for one in graph.read(candidates, campaign, now_ms=NOW, slot=None)]


def targeted(**changes: Any) -> Targeted:
    told = {"user_id": ANNA, "campaign_id": OTHER.campaign_id, "ts": NOW - DAY_MS}
    return Targeted(**(told | changes))


def test_a_campaign_comes_back_as_it_was_told(shop: Graph) -> None:
    assert shop.read(campaigns.get, SPRING.campaign_id) == SPRING
    assert shop.read(campaigns.get, OTHER.campaign_id) == OTHER
    assert set(shop.read(campaigns.list_ids)) == {"spring", "other"}


def test_an_unknown_campaign_is_refused_everywhere(graph: Graph) -> None:
    with pytest.raises(UnknownCampaign):
        graph.read(campaigns.get, CampaignId("none"))
    with pytest.raises(UnknownCampaign):
        graph.write(campaigns.target, [targeted()])
    with pytest.raises(UnknownCampaign):
        graph.write(campaigns.upsert_coupons, [COUPON])


def test_coupons_may_come_in_parts_and_again(shop: Graph) -> None:
    shop.write(campaigns.upsert_coupons, [replace(COUPON, item_ids=(ItemId("C"), ItemId("A")))])
    assert shop.read(campaigns.coupon_items, SPRING.campaign_id) == {"k1": ["A", "B", "C"]}


def test_everybody_who_may_is_a_candidate_but_no_visitor(shop: Graph) -> None:
    shop.write(users.meet, [users.Sighting(user_id=UserId("v_1"))])
    assert reached(shop) == [ANNA, BOB]


@pytest.mark.parametrize("property_", ["is_bot", "is_staff"])
def test_bots_and_staff_are_left_out(shop: Graph, property_: str) -> None:
    query = f"MATCH (u:User {{user_id: $id}}) SET u.{property_} = true"
    shop.write(lambda tx: tx.run(query, id=ANNA).consume())
    assert reached(shop) == [BOB]


def test_who_denied_marketing_is_left_out(shop: Graph) -> None:
    shop.write(users.set_consent, ANNA, {"marketing": "denied"}, now_ms=1)
    shop.write(users.set_consent, BOB, {"marketing": "granted"}, now_ms=1)
    assert reached(shop) == [BOB]


@pytest.mark.parametrize(
    ("row", "is_left_out"),
    [
        (targeted(), True),
        (targeted(ts=NOW - 7 * DAY_MS), False),
        (targeted(ts=NOW + 1), False),
        (targeted(arm="holdout"), False),
        (targeted(campaign_id=SPRING.campaign_id), False),
    ],
    ids=["recently", "long ago", "later", "kept out", "this campaign"],
)
def test_who_was_targeted_cools_off(shop: Graph, row: Targeted, is_left_out: bool) -> None:
    shop.write(campaigns.target, [row])
    shop.write(campaigns.target, [row])
    assert (ANNA not in reached(shop)) is is_left_out


def test_who_redeemed_is_left_out_of_that_campaign(shop: Graph) -> None:
    used = Redemption(
        user_id=ANNA, coupon_id=COUPON.coupon_id, campaign_id=SPRING.campaign_id, ts=NOW - 1
    )
    shop.write(campaigns.redeem, [used, used])
    shop.write(campaigns.target, [targeted(user_id=BOB, campaign_id=SPRING.campaign_id)])
    assert reached(shop) == [BOB]
    assert reached(shop, OTHER) == [ANNA], "BOB cools off from spring"
    assert shop.read(campaigns.reach, SPRING.campaign_id) == {
        "treated": 1, "holdout": 0, "redeemed": 1,
    }  # fmt: skip


def test_a_candidate_brings_what_they_did_with_the_items_of_the_coupons(shop: Graph) -> None:
    did = [
        ("e1", EventType.VIEW, "A", 5),
        ("e2", EventType.VIEW, "A", 9),
        ("e3", EventType.PURCHASE, "B", 7),
        ("e4", EventType.PURCHASE, "Z", 8),
        ("e5", EventType.VIEW, "B", NOW + 1),
    ]
    rows = [
        Event(
            event_id=EventId(event_id), type=type_, user_id=ANNA, item_id=ItemId(item_id), ts=ts,
            received_ts=ts, source="web",
        )
        for event_id, type_, item_id, ts in did
    ]  # fmt: skip
    shop.write(events.record, rows)
    shop.write(models.write_user_embeddings, Slot.GREEN, [(ANNA, [1.0, 2.0])])
    anna, bob = shop.read(candidates, SPRING, now_ms=NOW, slot=Slot.GREEN)
    assert (anna.ref, anna.embedding) == ("sealed", [1.0, 2.0])
    assert anna.touched_items == [("A", 2, 9), ("B", 7, 7)]
    assert (bob.embedding, bob.touched_items) == (None, [])
    lately, _ = shop.read(candidates, SPRING, now_ms=NOW, slot=None, since_ms=8)
    assert lately.touched_items == [("A", 2, 9)]


def test_a_promotion_may_come_in_parts_and_an_item_anew(graph: Graph) -> None:
    told = Promotion(
        promotion_id=PromotionId("display:9"), kind="display", starts_at=1, ends_at=9,
        items=(PromotedItem(item_id=ItemId("A"), starts=(1, 2), stores=(3, 4)),),
    )  # fmt: skip
    graph.write(promotions.upsert, [told])
    more = (PromotedItem(item_id=ItemId("A"), starts=(5,)), PromotedItem(item_id=ItemId("B")))
    graph.write(promotions.upsert, [replace(told, items=more)])
    query = (
        "MATCH (p:Promotion)-[r:PROMOTES]->(i:Item) "
        "RETURN p.kind AS kind, i.item_id AS i, r.starts AS starts ORDER BY i"
    )
    assert graph.read(lambda tx: tx.run(query).data()) == [
        {"kind": "display", "i": "A", "starts": [5]},
        {"kind": "display", "i": "B", "starts": []},
    ]

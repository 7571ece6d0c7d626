"""The graph in a notebook, by py2neo."""

import contextlib
import warnings

import pytest

from graph import campaigns, models
from graph.client import Graph
from graph.domain.campaigns import Campaign, Coupon, Redemption, Targeted
from graph.domain.events import EventType
from graph.domain.ids import CampaignId, CouponId, ItemId, ModelVersion
from graph.settings import GraphSettings
from tests import shop
from tests.stored import past_of

# The extra brings py2neo, whose own imports warn.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("py2neo", reason="the explore extra is not installed")
    from graph.exploration import Explorer


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_analyst_reads_paths_neighbours_and_reach(
    graph: Graph, neo4j_settings: GraphSettings
) -> None:
    """Five nodes of each kind, asked as a notebook asks."""
    who, other = shop.person(1), shop.person(2)
    shop.fill(
        graph,
        [
            shop.event(2, who, 3, EventType.PURCHASE, shop.START_MS + 2),
            shop.event(1, who, 3, EventType.VIEW, shop.START_MS + 1),
            shop.event(3, who, 4, EventType.VIEW, shop.START_MS + 3),
            shop.event(4, other, 4, EventType.VIEW, shop.START_MS + 4),
        ],
    )
    near = [(ItemId("item-3"), ItemId("item-4"), 0.5)]
    graph.write(models.write_similar, ModelVersion("m-1"), near)
    campaign, coupon = CampaignId("spring"), CouponId("coupon-1")
    start, end = shop.START_MS, shop.START_MS + shop.DAY_MS
    graph.write(
        campaigns.upsert,
        [Campaign(campaign_id=campaign, kind="A", starts_at=start, ends_at=end)],
    )
    of_campaign = Coupon(coupon_id=coupon, campaign_id=campaign, item_ids=(ItemId("item-4"),))
    graph.write(campaigns.upsert_coupons, [of_campaign])
    graph.write(
        campaigns.target,
        [Targeted(user_id=one, campaign_id=campaign, ts=start) for one in (who, other)],
    )
    used = Redemption(user_id=who, coupon_id=coupon, campaign_id=campaign, ts=start + 5)
    graph.write(campaigns.redeem, [used])

    with contextlib.closing(Explorer.open(neo4j_settings)) as explorer:
        assert [step["behaviour"] for step in explorer.path(who)] == [
            "VIEWED",
            "PURCHASED",
            "VIEWED",
        ]
        assert [step["item_id"] for step in explorer.path(who, limit=1)] == ["item-4"]
        assert explorer.neighbours(ItemId("item-3")) == [
            {"item_id": "item-4", "title": "item-4", "score": 0.5}
        ]
        assert explorer.reach(campaign) == [{"arm": "treated", "people": 2, "redeemed": 1}]
        found = explorer.counts()
        assert (found["VIEWED"], found["PURCHASED"], found["TARGETED_BY"]) == (3, 1, 2)
        assert past_of(graph, who, limit=10)[0].item_id == "item-4"

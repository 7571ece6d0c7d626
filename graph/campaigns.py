"""Coupon campaigns: what they offer, whom they reached, who used a coupon."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields

from neo4j import ManagedTransaction

from graph import items, users
from graph.domain.campaigns import Campaign, Coupon, Redemption, Targeted
from graph.domain.ids import CampaignId, CouponId, ItemId
from graph.errors import UnknownCampaign

_FIELDS = tuple(field.name for field in fields(Campaign))


def upsert(tx: ManagedTransaction, campaigns: Sequence[Campaign]) -> None:
    """Store campaigns; one that comes again is replaced."""
    tx.run(
        """
        UNWIND $rows AS row
        MERGE (c:Campaign {campaign_id: row.campaign_id})
        SET c += row
        """,
        rows=[{name: getattr(one, name) for name in _FIELDS} for one in campaigns],
    ).consume()


def upsert_coupons(tx: ManagedTransaction, coupons: Sequence[Coupon]) -> None:
    """
    Store coupons with the campaign that offers them and the items they are good for.

    Items of an earlier call stay, so a coupon for many items may come in parts.

    Raises:
        UnknownCampaign: one of their campaigns is not stored.
    """
    _must_exist(tx, {one.campaign_id for one in coupons})
    items.mention(tx, {item_id for one in coupons for item_id in one.item_ids})
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (campaign:Campaign {campaign_id: row[1]})
        USING INDEX SEEK campaign:Campaign(campaign_id)
        MERGE (coupon:Coupon {coupon_id: row[0]})
        MERGE (campaign)-[:OFFERS]->(coupon)
        """,
        rows=[[one.coupon_id, one.campaign_id] for one in coupons],
    ).consume()
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (coupon:Coupon {coupon_id: row[0]})
        USING INDEX SEEK coupon:Coupon(coupon_id)
        MATCH (i:Item {item_id: row[1]})
        USING INDEX SEEK i:Item(item_id)
        MERGE (coupon)-[:APPLIES_TO]->(i)
        """,
        rows=sorted({(one.coupon_id, item) for one in coupons for item in one.item_ids}),
    ).consume()


def target(tx: ManagedTransaction, rows: Sequence[Targeted]) -> None:
    """
    Store who was sent a campaign and who was kept out of it; the first telling stays.

    Raises:
        UnknownCampaign: one of the campaigns is not stored.
    """
    _must_exist(tx, {one.campaign_id for one in rows})
    users.meet(tx, [users.Sighting(user_id=id_) for id_ in {one.user_id for one in rows}])
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (u:User {user_id: row[0]})
        USING INDEX SEEK u:User(user_id)
        MATCH (c:Campaign {campaign_id: row[1]})
        USING INDEX SEEK c:Campaign(campaign_id)
        MERGE (u)-[t:TARGETED_BY]->(c)
        ON CREATE SET t.ts = row[2], t.arm = row[3], t.rank = row[4], t.reason = row[5]
        """,
        rows=[
            [one.user_id, one.campaign_id, one.ts, one.arm, one.rank, one.reason] for one in rows
        ],
    ).consume()


def redeem(tx: ManagedTransaction, rows: Sequence[Redemption]) -> None:
    """Store used coupons; a person uses a coupon at most once at one time in one campaign."""
    users.meet(tx, [users.Sighting(user_id=id_) for id_ in {one.user_id for one in rows}])
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (u:User {user_id: row[0]})
        USING INDEX SEEK u:User(user_id)
        MERGE (c:Coupon {coupon_id: row[1]})
        MERGE (u)-[:REDEEMED {campaign_id: row[2], ts: row[3]}]->(c)
        """,
        rows=[[one.user_id, one.coupon_id, one.campaign_id, one.ts] for one in rows],
    ).consume()


def get(tx: ManagedTransaction, campaign_id: CampaignId) -> Campaign:
    """
    A campaign by its id.

    Raises:
        UnknownCampaign: there is none.
    """
    record = tx.run(
        "MATCH (c:Campaign {campaign_id: $campaign_id}) RETURN properties(c) AS campaign",
        campaign_id=campaign_id,
    ).single()
    if record is None:
        raise UnknownCampaign("no campaign has that id")
    stored = record["campaign"]
    return Campaign(**{name: stored[name] for name in _FIELDS if name in stored})


def list_ids(tx: ManagedTransaction) -> list[CampaignId]:
    """All campaigns, in order of their start."""
    rows = tx.run(
        "MATCH (c:Campaign) RETURN c.campaign_id AS id ORDER BY c.starts_at, c.campaign_id"
    )
    return [CampaignId(row["id"]) for row in rows]


def coupon_items(tx: ManagedTransaction, campaign_id: CampaignId) -> dict[CouponId, list[ItemId]]:
    """The items that each coupon of a campaign is good for."""
    rows = tx.run(
        """
        MATCH (:Campaign {campaign_id: $campaign_id})-[:OFFERS]->(c:Coupon)
        OPTIONAL MATCH (c)-[:APPLIES_TO]->(i:Item)
        RETURN c.coupon_id AS coupon_id, collect(i.item_id) AS item_ids
        ORDER BY coupon_id
        """,
        campaign_id=campaign_id,
    )
    return {CouponId(row["coupon_id"]): sorted(map(ItemId, row["item_ids"])) for row in rows}


def reach(tx: ManagedTransaction, campaign_id: CampaignId) -> dict[str, int]:
    """How many people a campaign sent to (``treated``), kept out (``holdout``) and ``redeemed``."""
    arms = tx.run(
        """
        MATCH (:User)-[t:TARGETED_BY]->(:Campaign {campaign_id: $campaign_id})
        RETURN t.arm AS arm, count(*) AS n
        """,
        campaign_id=campaign_id,
    )
    people: defaultdict[str, int] = defaultdict(int)
    for row in arms:
        people[row["arm"]] += row["n"]
    redeemed = tx.run(
        """
        MATCH (:Campaign {campaign_id: $campaign_id})-[:OFFERS]->(:Coupon)<-[r:REDEEMED]-(u:User)
        WHERE r.campaign_id = $campaign_id
        RETURN count(DISTINCT u) AS n
        """,
        campaign_id=campaign_id,
    ).single(strict=True)
    return {
        "treated": people["treated"],
        "holdout": people["holdout"],
        "redeemed": int(redeemed["n"]),
    }


def _must_exist(tx: ManagedTransaction, campaign_ids: Iterable[CampaignId]) -> None:
    asked = set(campaign_ids)
    record = tx.run(
        """
        UNWIND $ids AS id
        MATCH (c:Campaign {campaign_id: id})
        USING INDEX SEEK c:Campaign(campaign_id)
        RETURN count(c) AS n
        """,
        ids=sorted(asked),
    ).single(strict=True)
    if record["n"] != len(asked):
        raise UnknownCampaign(f"{len(asked) - record['n']} of the campaigns are not known")

"""The people that a campaign may reach, and what they did with the items it is about."""

from collections import defaultdict
from dataclasses import dataclass, field

from neo4j import ManagedTransaction

from graph.domain.campaigns import Campaign
from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ItemId, UserId
from graph.domain.models import Slot
from graph.tags import NOT_FORBIDDEN

DAY_MS = 86_400_000

_CODE_OF = {behaviour.relationship: behaviour.code for behaviour in ITEM_BEHAVIOURS.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """
    A customer who may be sent a campaign.

    Attributes:
        ref: the shop's own id, encrypted.
        embedding: vector in the asked slot, where one is stored.
        touched_items: item, code of the behaviour and its latest time in milliseconds UTC, newest
            first; only items that a coupon of the campaign applies to.
    """

    user_id: UserId
    ref: str | None
    embedding: list[float] | None
    touched_items: list[tuple[ItemId, int, int]] = field(default_factory=list)


def candidates(
    tx: ManagedTransaction,
    campaign: Campaign,
    *,
    now_ms: int,
    slot: Slot | None,
    since_ms: int = 0,
) -> list[Candidate]:
    """
    Everybody the campaign may reach, in order of their ids.

    Left out: visitors, bots, staff, people who denied marketing or personalisation, people
    whom another campaign targeted within the cooling-off time, and people who used a coupon of
    this campaign. Nothing later than ``now_ms`` is looked at, and of what they touched nothing
    before ``since_ms``.
    """
    rows = tx.run(
        """
        MATCH (u:User {kind: 'customer'})
        WHERE coalesce(u.consent_marketing, 'unknown') <> 'denied'
          AND coalesce(u.consent_personalisation, 'unknown') <> 'denied'
          AND NOT coalesce(u.is_bot, false) AND NOT coalesce(u.is_staff, false)
          AND NOT EXISTS {
              MATCH (u)-[t:TARGETED_BY]->(other:Campaign)
              WHERE t.ts > $cooled_off AND t.ts <= $now_ms AND t.arm = 'treated'
                AND other.campaign_id <> $campaign_id }
          AND NOT EXISTS {
              MATCH (u)-[r:REDEEMED]->(:Coupon)
              WHERE r.campaign_id = $campaign_id AND r.ts <= $now_ms }
        RETURN u.user_id AS user_id, u.ref AS ref,
               CASE WHEN EXISTS { (u)-[:WITHOUT]->() } THEN null
                    WHEN $slot = 'blue' THEN u.embedding_blue
                    WHEN $slot = 'green' THEN u.embedding_green END AS embedding
        ORDER BY user_id
        """,
        campaign_id=campaign.campaign_id,
        cooled_off=now_ms - campaign.cooling_off_days * DAY_MS,
        now_ms=now_ms,
        slot=slot,
    )
    eligible = [
        Candidate(user_id=UserId(row["user_id"]), ref=row["ref"], embedding=row["embedding"])
        for row in rows
    ]
    touched = _touched(tx, campaign, since_ms, now_ms)
    for one in eligible:
        one.touched_items.extend(sorted(touched.get(one.user_id, ()), key=lambda row: -row[2]))
    return eligible


def _touched(
    tx: ManagedTransaction, campaign: Campaign, since_ms: int, now_ms: int
) -> dict[UserId, list[tuple[ItemId, int, int]]]:
    # Grouped by person and item in the database: a household buys the same milk every week.
    rows = tx.run(
        """
        MATCH (:Campaign {campaign_id: $campaign_id})-[:OFFERS]->(:Coupon)-[:APPLIES_TO]->(i:Item)
        WITH DISTINCT i
        MATCH (i)<-[r:CLICKED|VIEWED|CARTED|UNCARTED|FAVORITED|UNFAVORITED|PURCHASED
                     |REFUNDED|REVIEWED|INQUIRED|SHARED]-(person:User)
        WHERE r.ts >= $since_ms AND r.ts <= $now_ms AND """
        + NOT_FORBIDDEN
        + """
        WITH i, person, type(r) AS type, max(r.ts) AS ts
        OPTIONAL MATCH (person)-[:SAME_AS]->(customer:User)
        WITH coalesce(customer, person) AS u, i.item_id AS item_id, type, ts
        RETURN u.user_id AS user_id, collect(item_id) AS item_ids, collect(type) AS types,
               collect(ts) AS times
        """,
        campaign_id=campaign.campaign_id,
        since_ms=since_ms,
        now_ms=now_ms,
    )
    touched: defaultdict[UserId, list[tuple[ItemId, int, int]]] = defaultdict(list)
    for row in rows:
        codes = [_CODE_OF[type_] for type_ in row["types"]]
        touched[row["user_id"]].extend(zip(row["item_ids"], codes, row["times"], strict=True))
    return touched

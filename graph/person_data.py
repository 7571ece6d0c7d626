"""All that is keyed to one person, read for the person."""

from dataclasses import asdict, dataclass
from typing import Any

from neo4j import ManagedTransaction

from graph import identities, tags
from graph.domain.ids import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonData:
    """
    What the graph holds of a person, under all their pseudonyms.

    Attributes:
        profiles: the nodes: kind, first and last sight, consent, flags, vectors, encrypted id.
        facts: events as they are stored, in order of time: ``type`` of the edge, ``user_id`` of
            its start, ``end`` by the kind of node, and the properties.
        devices: which ones, with first and last sight.
        campaigns, coupons: who sent what and why, and what was used.
        tags: what is thought of them.
    """

    profiles: list[dict[str, Any]]
    facts: list[dict[str, Any]]
    devices: list[dict[str, Any]]
    campaigns: list[dict[str, Any]]
    coupons: list[dict[str, Any]]
    tags: list[dict[str, Any]]


def read(tx: ManagedTransaction, user_id: UserId) -> PersonData:
    """Everything, in one transaction; empty lists for somebody who is not known."""
    return PersonData(
        profiles=_rows(tx, user_id, "RETURN properties(person) AS told ORDER BY told.user_id"),
        facts=_rows(tx, user_id, _FACTS),
        devices=_rows(tx, user_id, _DEVICES),
        campaigns=_rows(tx, user_id, _CAMPAIGNS),
        coupons=_rows(tx, user_id, _COUPONS),
        tags=[asdict(one) for one in tags.tags(tx, user_id)],
    )


_FACTS = """
    MATCH (person)-[r]->(end) WHERE r.event_id IS NOT NULL AND type(r) <> 'SAME_AS'
    RETURN {type: type(r), user_id: person.user_id, told: properties(r),
            item_id: end.item_id, query: end.text, customer: end.user_id,
            shown_items: end.item_ids, shown_positions: end.positions} AS told
    ORDER BY r.ts, r.seq
"""
_DEVICES = """
    MATCH (person)-[uses:USES]->(d:Device)
    RETURN {device_id: d.device_id, user_id: person.user_id, first_seen: uses.first_seen,
            last_seen: uses.last_seen} AS told
    ORDER BY told.device_id, told.user_id
"""
_CAMPAIGNS = """
    MATCH (person)-[t:TARGETED_BY]->(c:Campaign)
    RETURN {campaign_id: c.campaign_id, ts: t.ts, arm: t.arm, rank: t.rank, reason: t.reason}
        AS told
    ORDER BY told.ts, told.campaign_id
"""
_COUPONS = """
    MATCH (person)-[r:REDEEMED]->(c:Coupon)
    RETURN {coupon_id: c.coupon_id, campaign_id: r.campaign_id, ts: r.ts} AS told
    ORDER BY told.ts, told.coupon_id
"""


def _rows(tx: ManagedTransaction, user_id: UserId, rest: str) -> list[dict[str, Any]]:
    found = tx.run(
        "MATCH (me:User {user_id: $user_id})" + identities.SAME_PERSON + "WITH person\n" + rest,
        user_id=user_id,
    )
    return [dict(row["told"]) for row in found]

"""The people for an item: who may be spoken to, and what they did with it and with its like."""

from neo4j import ManagedTransaction

from graph.candidates import Candidate
from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ItemId, UserId
from graph.domain.models import Slot
from graph.tags import NOT_FORBIDDEN

MOST = 5_000
"""People looked at, those who came nearest lately first."""

_CODE_OF = {one.relationship: one.code for one in ITEM_BEHAVIOURS.values()}


def audience(
    tx: ManagedTransaction, item_id: ItemId, *, since_ms: int, now_ms: int, slot: Slot | None
) -> list[Candidate]:
    """
    Customers who touched an item, or one of the same main category, since a moment.

    Left out: visitors, bots, staff, people who denied marketing or personalisation, and people
    whose personal id is not known. ``touched_items`` holds what they did with the item itself.
    """
    rows = tx.run(
        """
        MATCH (target:Item {item_id: $item_id})
        CALL (target) {
            RETURN target AS i
            UNION
            MATCH (target)-[:IN_CATEGORY {rank: 0}]->(:Category)<-[:IN_CATEGORY {rank: 0}]-(i:Item)
            RETURN i LIMIT 500
        }
        MATCH (i)<-[r:CLICKED|VIEWED|CARTED|UNCARTED|FAVORITED|UNFAVORITED|PURCHASED
                     |REFUNDED|REVIEWED|INQUIRED|SHARED]-(person:User)
        WHERE r.ts >= $since_ms AND r.ts <= $now_ms AND """
        + NOT_FORBIDDEN
        + """
        OPTIONAL MATCH (person)-[:SAME_AS]->(customer:User)
        WITH coalesce(customer, person) AS u, i = target AS is_it, type(r) AS type, max(r.ts) AS ts
        WHERE u.kind = 'customer' AND u.ref IS NOT NULL
          AND coalesce(u.consent_marketing, 'unknown') <> 'denied'
          AND coalesce(u.consent_personalisation, 'unknown') <> 'denied'
          AND NOT coalesce(u.is_bot, false) AND NOT coalesce(u.is_staff, false)
        WITH u, max(ts) AS latest,
             [pair IN collect([is_it, type, ts]) WHERE pair[0] | [pair[1], pair[2]]] AS steps
        ORDER BY size(steps) > 0 DESC, latest DESC, u.user_id LIMIT $most
        RETURN u.user_id AS user_id, u.ref AS ref, steps,
               CASE WHEN EXISTS { (u)-[:WITHOUT]->() } THEN null
                    WHEN $slot = 'blue' THEN u.embedding_blue
                    WHEN $slot = 'green' THEN u.embedding_green END AS embedding
        """,
        item_id=item_id,
        since_ms=since_ms,
        now_ms=now_ms,
        slot=slot,
        most=MOST,
    )
    return [
        Candidate(
            user_id=UserId(row["user_id"]),
            ref=row["ref"],
            embedding=row["embedding"],
            touched_items=sorted(
                ((item_id, _CODE_OF[kind], ts) for kind, ts in row["steps"]),
                key=lambda step: -step[2],
            ),
        )
        for row in rows
    ]

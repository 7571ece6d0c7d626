"""What is liked more than it used to be, and what is bought together."""

from neo4j import ManagedTransaction

from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ItemId

BASELINE = 4
"""An item is compared with so many windows before the last one."""

MOST_BUYERS = 2_000
"""Of an item's purchases, the newest so many are looked at."""

MOST_BESIDE = 200
"""Of each buyer's other purchases at that time, so many count."""

_WEIGHTS = {one.relationship: one.weight for one in ITEM_BEHAVIOURS.values()}


def trending(
    tx: ManagedTransaction, *, until_ms: int, window_ms: int, limit: int, category: str | None
) -> list[tuple[ItemId, float]]:
    """
    Items by how far the last window exceeds what the four before it let expect, best first.

    The score is (recent - expected) / sqrt(expected + 1), in weighted events; what has not risen
    is left out. What bots and staff did does not count.
    """
    rows = tx.run(
        """
        MATCH (u:User)-[r:CLICKED|VIEWED|CARTED|UNCARTED|FAVORITED|UNFAVORITED|PURCHASED
                         |REFUNDED|REVIEWED|INQUIRED|SHARED]->(i:Item)
        WHERE r.ts >= $begin AND r.ts < $until AND r.duplicate_of IS NULL
          AND NOT coalesce('bot' IN r.flags, false)
          AND NOT coalesce(u.is_bot OR u.is_staff, false)
        WITH i, sum(CASE WHEN r.ts >= $since THEN $weights[type(r)] ELSE 0 END) AS recent,
             sum(CASE WHEN r.ts < $since THEN $weights[type(r)] ELSE 0 END) / $baseline AS before
        WITH i, recent, CASE WHEN before > 0 THEN before ELSE 0 END AS expected
        WHERE recent > expected AND i.is_deleted IS NULL AND NOT coalesce(i.is_hidden, false)
          AND ($category IS NULL OR EXISTS {
              MATCH (i)-[:IN_CATEGORY]->(c:Category)
              WHERE c.path = $category OR c.path STARTS WITH $category + '/' })
        RETURN i.item_id AS item_id, (recent - expected) / sqrt(expected + 1) AS score
        ORDER BY score DESC, item_id LIMIT $limit
        """,
        begin=until_ms - (BASELINE + 1) * window_ms,
        since=until_ms - window_ms,
        until=until_ms,
        baseline=float(BASELINE),
        limit=limit,
        category=category,
        weights=_WEIGHTS,
    )
    return [(ItemId(row["item_id"]), float(row["score"])) for row in rows]


def also_bought(
    tx: ManagedTransaction, item_id: ItemId, *, within_ms: int, limit: int
) -> list[tuple[ItemId, float]]:
    """
    What the buyers of an item bought at about the same time, best first.

    The score is the cosine of the two sets of purchases: buyers of both over the root of the
    purchases of each. Two people at least must have bought both.
    """
    rows = tx.run(
        """
        MATCH (i:Item {item_id: $item_id})<-[a:PURCHASED]-(u:User)
        WHERE NOT coalesce('bot' IN a.flags, false)
          AND NOT coalesce(u.is_bot OR u.is_staff, false)
        WITH i, u, a ORDER BY a.ts DESC LIMIT $most_buyers
        WITH i, u, collect(a.ts) AS times
        CALL (i, u, times) {
            MATCH (u)-[b:PURCHASED]->(other:Item)
            WHERE other <> i AND any(ts IN times WHERE abs(b.ts - ts) <= $within)
            RETURN DISTINCT other LIMIT $most_beside
        }
        WITH i, other, count(u) AS both WHERE both >= 2
        RETURN other.item_id AS item_id,
               both / sqrt(toFloat(COUNT { (i)<-[:PURCHASED]-() })
                           * COUNT { (other)<-[:PURCHASED]-() }) AS score
        ORDER BY score DESC, item_id LIMIT $limit
        """,
        item_id=item_id,
        within=within_ms,
        limit=limit,
        most_buyers=MOST_BUYERS,
        most_beside=MOST_BESIDE,
    )
    return [(ItemId(row["item_id"]), float(row["score"])) for row in rows]

"""Displays, mailers, price cuts, and the items they lift."""

from collections.abc import Sequence

from neo4j import ManagedTransaction

from graph import items
from graph.domain.catalogue import Promotion


def upsert(tx: ManagedTransaction, promotions: Sequence[Promotion]) -> None:
    """
    Store promotions and the items in them; an item that comes again gets the new weeks and stores.

    Items of an earlier call stay in the promotion, so a big one may come in parts.
    """
    tx.run(
        """
        UNWIND $rows AS row
        MERGE (p:Promotion {promotion_id: row[0]})
        SET p += row[1]
        """,
        rows=[
            [
                one.promotion_id,
                {
                    "kind": one.kind,
                    "starts_at": one.starts_at,
                    "ends_at": one.ends_at,
                    "title": one.title,
                    "depth": one.depth,
                },
            ]
            for one in sorted(promotions, key=lambda one: one.promotion_id)
        ],
    ).consume()
    items.mention(tx, {item.item_id for one in promotions for item in one.items})
    for one in promotions:
        _promote(tx, one)


def _promote(tx: ManagedTransaction, promotion: Promotion) -> None:
    if not promotion.items:
        return
    rows = {
        item.item_id: [item.item_id, list(item.starts), list(item.stores)]
        for item in promotion.items
    }
    tx.run(
        """
        MATCH (p:Promotion {promotion_id: $promotion_id})
        UNWIND $rows AS row
        MATCH (i:Item {item_id: row[0]})
        USING INDEX SEEK i:Item(item_id)
        MERGE (p)-[promotes:PROMOTES]->(i)
        ON CREATE SET promotes.starts = row[1], promotes.stores = row[2]
        ON MATCH SET promotes.starts = row[1], promotes.stores = row[2]
        """,
        promotion_id=promotion.promotion_id,
        rows=[rows[item_id] for item_id in sorted(rows)],
    ).consume()

"""Prices that can hardly be true: the fact stays as it was said, a list of broken rules beside."""

from collections.abc import Sequence
from dataclasses import dataclass

from neo4j import ManagedTransaction

PRICED = ("PURCHASED", "CARTED")
"""Edges whose price is judged."""

MOST = 2_000
"""Of an item's prices, the newest so many are looked at."""


@dataclass(frozen=True, slots=True)
class Prices:
    """
    Prices of items, as columns of equal length.

    Attributes:
        item: the node's ``idx``.
        rules: what each breaks by what is stored; empty where nothing.
    """

    seq: list[int]
    item: list[int]
    currency: list[str]
    price_minor: list[int]
    rules: list[list[str]]


def touched(tx: ManagedTransaction, relationship: str, *, after: int, upper: int) -> list[str]:
    """Items with a price in the edges of a type with ``after`` < ``seq`` ≤ ``upper``."""
    row = tx.run(
        f"""
        MATCH ()-[r:{relationship}]->(i:Item)
        WHERE r.seq > $after AND r.seq <= $upper AND r.price_minor > 0
        RETURN collect(DISTINCT i.item_id) AS ids
        """,
        after=after,
        upper=upper,
    ).single(strict=True)
    return sorted(row["ids"])


def prices(tx: ManagedTransaction, relationship: str, item_ids: Sequence[str]) -> Prices:
    """The newest prices of items on the edges of a type."""
    row = tx.run(
        f"""
        UNWIND $ids AS id
        MATCH (i:Item {{item_id: id}})
        USING INDEX SEEK i:Item(item_id)
        CALL (i) {{
            MATCH ()-[r:{relationship}]->(i) WHERE r.price_minor > 0
            RETURN r ORDER BY r.seq DESC LIMIT $most
        }}
        RETURN collect(r.seq) AS seq, collect(i.idx) AS item,
               collect(coalesce(r.currency, '')) AS currency,
               collect(r.price_minor) AS price_minor, collect(coalesce(r.outlier, [])) AS rules
        """,
        ids=list(item_ids),
        most=MOST,
    ).single(strict=True)
    return Prices(**dict(row))


def mark(
    tx: ManagedTransaction, relationship: str, changed: Sequence[tuple[int, list[str]]]
) -> None:
    """Note which rules prices break now, by ``seq``; an empty list takes the mark away."""
    tx.run(
        f"""
        UNWIND $rows AS row
        MATCH ()-[r:{relationship} {{seq: row[0]}}]->()
        USING INDEX SEEK r:{relationship}(seq)
        SET r.outlier = CASE WHEN size(row[1]) > 0 THEN row[1] END
        """,
        rows=[[seq, rules] for seq, rules in changed],
    ).consume()


def set_aside(tx: ManagedTransaction) -> tuple[list[int], list[int]]:
    """``seq`` of purchases that are told again, and of edges whose price can hardly be true."""
    row = tx.run(
        """
        CALL () {
            MATCH ()-[r:PURCHASED]->() WHERE r.duplicate_of IS NOT NULL
            RETURN collect(r.seq) AS told_again
        }
        CALL () {
            MATCH ()-[r:PURCHASED]->() WHERE r.outlier IS NOT NULL
            RETURN collect(r.seq) AS bought
        }
        CALL () {
            MATCH ()-[r:CARTED]->() WHERE r.outlier IS NOT NULL
            RETURN collect(r.seq) AS carted
        }
        RETURN told_again, bought + carted AS outliers
        """
    ).single(strict=True)
    return row["told_again"], row["outliers"]

"""
How long people look at things: where a view does not say it, the mean of its category stands in.

The fact stays as it was said; means are kept on the categories and put in when views are read.
"""

from dataclasses import dataclass

from neo4j import ManagedTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class DwellPage:
    """
    Views in order of ``seq``, as columns of equal length ``n``.

    Attributes:
        dwell_ms: as said, or the mean of the item's main category; -1 where neither is known.
        is_imputed: whether it is such a mean.
        last: where the next page goes on (``after``); a page with ``n`` 0 is the end.
    """

    seq: list[int]
    dwell_ms: list[int]
    is_imputed: list[bool]
    n: int
    last: int


def add(tx: ManagedTransaction, *, after: int, upper: int) -> None:
    """Add views with ``after`` < ``seq`` ≤ ``upper`` to the sums of their categories, once."""
    tx.run(
        """
        MATCH ()-[r:VIEWED]->(i:Item)-[:IN_CATEGORY {rank: 0}]->(c:Category)
        WHERE r.seq > $after AND r.seq <= $upper
        WITH c, count(r.dwell_ms) AS told, coalesce(sum(r.dwell_ms), 0) AS total, count(*) AS views
        SET c.dwell_told = coalesce(c.dwell_told, 0) + told,
            c.dwell_sum_ms = coalesce(c.dwell_sum_ms, 0) + total,
            c.dwell_untold = coalesce(c.dwell_untold, 0) + views - told
        """,
        after=after,
        upper=upper,
    ).consume()


def imputed(tx: ManagedTransaction) -> int:
    """How many views do not say it and have a category whose mean stands in."""
    row = tx.run(
        "MATCH (c:Category) WHERE c.dwell_told > 0 RETURN sum(c.dwell_untold) AS n"
    ).single(strict=True)
    return int(row["n"])


def page(tx: ManagedTransaction, *, after: int, upper: int, most: int) -> DwellPage:
    """The next views with ``after`` < ``seq`` ≤ ``upper``, at most so many."""
    row = tx.run(
        """
        MATCH ()-[r:VIEWED]->(i:Item) WHERE r.seq > $after AND r.seq <= $upper
        WITH r, i ORDER BY r.seq LIMIT $most
        OPTIONAL MATCH (i)-[:IN_CATEGORY {rank: 0}]->(c:Category) WHERE c.dwell_told > 0
        WITH r, toInteger(round(toFloat(c.dwell_sum_ms) / c.dwell_told)) AS mean_ms
        RETURN collect(r.seq) AS seq, collect(coalesce(r.dwell_ms, mean_ms, -1)) AS dwell_ms,
               collect(r.dwell_ms IS NULL AND mean_ms IS NOT NULL) AS is_imputed,
               count(*) AS n, coalesce(max(r.seq), $after) AS last
        """,
        after=after,
        upper=upper,
        most=most,
    ).single(strict=True)
    return DwellPage(**dict(row))

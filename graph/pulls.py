"""Reads the graph in bulk, as columns of numbers in the order in which things were stored."""

from dataclasses import dataclass
from functools import lru_cache

from neo4j import ManagedTransaction

from graph import counters
from graph.domain.events import ITEM_BEHAVIOURS, EventType
from graph.errors import GraphRejected


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePage:
    """
    Edges of one type in order of ``seq``, as columns of equal length ``n``.

    Attributes:
        price_minor: -1 where no price is known.
        quantity: 1 where none is known.
        last: where the next page goes on (``after``); a page with ``n`` 0 is the end.
    """

    user_idx: list[int]
    item_idx: list[int]
    ts: list[int]
    seq: list[int]
    price_minor: list[int]
    quantity: list[int]
    n: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPage:
    """People in order of ``idx``, as columns of equal length ``n``."""

    idx: list[int]
    user_id: list[str]
    n: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """
    Items in order of ``idx``, as columns of equal length ``n``.

    Attributes:
        category: path of the main category, empty where none is known; so is ``brand``.
        price_minor: -1 where no price is known; ``created_at`` likewise.
    """

    idx: list[int]
    item_id: list[str]
    category: list[str]
    brand: list[str]
    price_minor: list[int]
    created_at: list[int]
    n: int
    last: int


def last_seq(tx: ManagedTransaction) -> int:
    """The highest sequence number given so far: the upper bound to fix before a pull."""
    return counters.current(tx, counters.EVENT_SEQ)


def edges(
    tx: ManagedTransaction, type_: EventType, *, after: int, upper: int, page: int
) -> EdgePage:
    """
    The next edges of one behaviour with ``after`` < ``seq`` ≤ ``upper``; those of bots left out.

    Raises:
        GraphRejected: a node without ``idx`` would have shifted a column.
    """
    record = tx.run(
        edges_query(ITEM_BEHAVIOURS[type_].relationship), after=after, upper=upper, page=page
    ).single(strict=True)
    result = EdgePage(**{**dict(record), "last": record["last"] or after})
    _must_be_even(
        result.n, result.user_idx, result.item_idx, result.ts, result.price_minor, result.quantity
    )
    return result


def users(tx: ManagedTransaction, *, after_idx: int, page: int) -> UserPage:
    """The next people with ``idx`` > ``after_idx``."""
    record = tx.run(
        """
        MATCH (u:User) WHERE u.idx > $after
        WITH u ORDER BY u.idx LIMIT $page
        RETURN collect(u.idx) AS idx, collect(u.user_id) AS user_id,
               count(*) AS n, max(u.idx) AS last
        """,
        after=after_idx,
        page=page,
    ).single(strict=True)
    result = UserPage(**{**dict(record), "last": record["last"] or after_idx})
    _must_be_even(result.n, result.idx, result.user_id)
    return result


def items(tx: ManagedTransaction, *, after_idx: int, page: int) -> ItemPage:
    """The next items with ``idx`` > ``after_idx``."""
    record = tx.run(
        """
        MATCH (i:Item) WHERE i.idx > $after
        WITH i ORDER BY i.idx LIMIT $page
        WITH i, head([(i)-[under:IN_CATEGORY {rank: 0}]->(c:Category) | c.path]) AS category,
             head([(i)-[:OF_BRAND]->(b:Brand) | b.name]) AS brand
        RETURN collect(i.idx) AS idx, collect(i.item_id) AS item_id,
               collect(coalesce(category, '')) AS category,
               collect(coalesce(brand, '')) AS brand,
               collect(coalesce(i.price_minor, -1)) AS price_minor,
               collect(coalesce(i.created_at, -1)) AS created_at,
               count(*) AS n, max(i.idx) AS last
        """,
        after=after_idx,
        page=page,
    ).single(strict=True)
    result = ItemPage(**{**dict(record), "last": record["last"] or after_idx})
    _must_be_even(result.n, result.idx, result.item_id)
    return result


def identities(tx: ManagedTransaction) -> list[tuple[int, int]]:
    """``idx`` of each visitor and of the customer they turned out to be."""
    record = tx.run(
        """
        MATCH (visitor:User)-[:SAME_AS]->(customer:User)
        RETURN collect([visitor.idx, customer.idx]) AS pairs
        """
    ).single(strict=True)
    return [(visitor, customer) for visitor, customer in record["pairs"]]


def left_out(tx: ManagedTransaction) -> list[int]:
    """``idx`` of bots and staff, and of the visitors they were; nothing is learnt from them."""
    record = tx.run(
        """
        CALL () {
            MATCH (u:User) WHERE u.is_bot = true RETURN u
            UNION
            MATCH (u:User) WHERE u.is_staff = true RETURN u
        }
        CALL (u) {
            RETURN u AS one
            UNION
            MATCH (u)<-[:SAME_AS]-(one:User) RETURN one
        }
        RETURN collect(DISTINCT one.idx) AS idx
        """
    ).single(strict=True)
    return sorted(record["idx"])


@lru_cache(maxsize=len(ITEM_BEHAVIOURS))
def edges_query(relationship: str) -> str:
    """The query of ``edges``; a type cannot be a parameter, this one comes from our enum."""
    return f"""
        MATCH (u)-[r:{relationship}]->(i)
        WHERE r.seq > $after AND r.seq <= $upper
          AND (r.flags IS NULL OR NOT 'bot' IN r.flags)
        WITH u, r, i ORDER BY r.seq LIMIT $page
        RETURN collect(u.idx) AS user_idx, collect(i.idx) AS item_idx, collect(r.ts) AS ts,
               collect(r.seq) AS seq, collect(coalesce(r.price_minor, -1)) AS price_minor,
               collect(coalesce(r.quantity, 1)) AS quantity,
               count(*) AS n, max(r.seq) AS last
    """


def _must_be_even(n: int, *columns: list[int] | list[str]) -> None:
    # ``collect`` skips nulls, so a node without an index would shift its whole column.
    if any(len(column) != n for column in columns):
        raise GraphRejected("a node without idx was pulled; columns do not match")

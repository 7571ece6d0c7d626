"""
Purchases that two sources tell of: both edges stay, and the later told one names the first.

A tracker and a shop platform report the same purchase. They are matched by order and item, else by
person, item, time and amount. What counts purchases leaves out those with ``duplicate_of``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from neo4j import ManagedTransaction

from graph import identities

SAID_TWICE = ("price_minor", "amount_minor", "quantity", "currency")
"""What both tellings of a line should agree on, where both say it."""


@dataclass(frozen=True, slots=True)
class Match:
    """
    A purchase that was told before.

    Attributes:
        event_id: of the later telling.
        first: event id of the one that counts; ``None`` for one that counts itself.
        disagrees_on: fields in which the two differ.
    """

    event_id: str
    first: str | None
    disagrees_on: tuple[str, ...] = ()


def mark_orders(tx: ManagedTransaction, order_ids: Collection[str]) -> set[str]:
    """
    Match the lines of these orders over their sources; doing it again changes nothing.

    The lines of one item in an order are matched in order of their numbers, since two sources may
    number the lines of one order in two ways. A line that comes late may so match anew.

    Returns:
        Event ids of all tellings of these orders that do not count.
    """
    rows = tx.run(
        """
        UNWIND $orders AS order_id
        MATCH ()-[p:PURCHASED {order_id: order_id}]->(i)
        USING INDEX SEEK p:PURCHASED(order_id)
        RETURN order_id, i.item_id AS item_id, p.source AS source, p.event_id AS event_id,
               p.price_minor AS price_minor, p.amount_minor AS amount_minor,
               p.quantity AS quantity, p.currency AS currency, p.seq AS seq,
               p.duplicate_of AS duplicate_of
        ORDER BY p.line, p.seq
        """,
        orders=sorted(order_ids),
    )
    tellings: defaultdict[tuple[str, str, int], list[Any]] = defaultdict(list)
    told: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    here: dict[str, str | None] = {}
    for row in rows:
        place = (row["order_id"], row["item_id"])
        number = told[(*place, row["source"])]
        told[(*place, row["source"])] += 1
        tellings[(*place, number)].append(row)
        here[row["event_id"]] = row["duplicate_of"]
    matches = [match for same in tellings.values() for match in _matches(same)]
    found = {match.event_id for match in matches}
    # A mark by person and time names a purchase of another order, and stays.
    outdated = [id_ for id_, first in here.items() if first in here and id_ not in found]
    mark(tx, [*matches, *(Match(event_id, None) for event_id in outdated)])
    return found


def sources(tx: ManagedTransaction, *, after: int, upper: int) -> set[str]:
    """Who told of purchases with ``after`` < ``seq`` ≤ ``upper``."""
    row = tx.run(
        """
        MATCH ()-[p:PURCHASED]->() WHERE p.seq > $after AND p.seq <= $upper
        RETURN collect(DISTINCT p.source) AS sources
        """,
        after=after,
        upper=upper,
    ).single(strict=True)
    return set(row["sources"])


def find(tx: ManagedTransaction, *, after: int, upper: int, within_ms: int) -> list[Match]:
    """
    Purchases with ``after`` < ``seq`` ≤ ``upper`` that another source told before, by other orders.

    The same person bought the same item for the same amount at nearly the same time. A telling is
    matched with the nearest in time, and no two of one source with the same one.
    """
    rows = tx.run(
        """
        MATCH (me:User)-[p:PURCHASED]->(i:Item)
        WHERE p.seq > $after AND p.seq <= $upper AND p.duplicate_of IS NULL
        """
        + identities.SAME_PERSON
        + """
        MATCH (person)-[q:PURCHASED]->(i)
        WHERE q.source <> p.source AND q.seq < p.seq AND q.duplicate_of IS NULL
          AND q.order_id <> p.order_id AND abs(q.ts - p.ts) <= $within_ms
          AND coalesce(q.amount_minor, q.price_minor * coalesce(q.quantity, 1))
              = coalesce(p.amount_minor, p.price_minor * coalesce(p.quantity, 1))
          AND coalesce(q.currency, '') = coalesce(p.currency, '')
          AND NOT EXISTS {
              MATCH ()-[x:PURCHASED {duplicate_of: q.event_id}]->() WHERE x.source = p.source }
        RETURN p.event_id AS event_id, p.source AS source, q.event_id AS first
        ORDER BY abs(q.ts - p.ts), p.seq, q.seq
        """,
        after=after,
        upper=upper,
        within_ms=within_ms,
    )
    matches: dict[str, Match] = {}
    firsts: set[str] = set()
    taken: set[tuple[str, str]] = set()
    for event_id, source, first in (row.values() for row in rows):
        # What is told again itself is nobody's first telling, and the other way round.
        is_free = event_id not in matches and event_id not in firsts and first not in matches
        if is_free and (first, source) not in taken:
            taken.add((first, source))
            firsts.add(first)
            matches[event_id] = Match(event_id, first)
    return list(matches.values())


def mark(tx: ManagedTransaction, matches: Sequence[Match]) -> None:
    """Note on the later tellings which one counts."""
    if not matches:
        return
    tx.run(
        """
        UNWIND $rows AS row
        MATCH ()-[p:PURCHASED {event_id: row[0]}]->()
        USING INDEX SEEK p:PURCHASED(event_id)
        SET p.duplicate_of = row[1], p.disagrees_on = row[2]
        """,
        rows=[[one.event_id, one.first, list(one.disagrees_on) or None] for one in matches],
    ).consume()


def _matches(same: Sequence[Any]) -> Iterator[Match]:
    """The later tellings of one line; the first that was stored counts."""
    first, *later = sorted(same, key=lambda row: row["seq"])
    for row in later:
        differs = tuple(name for name in SAID_TWICE if _differs(first[name], row[name]))
        yield Match(row["event_id"], first["event_id"], differs)


def _differs(one: Any, other: Any) -> bool:
    return one is not None and other is not None and one != other

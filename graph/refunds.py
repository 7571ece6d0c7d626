"""
Refunds of whole orders: a fact of their own, from which refunds of the lines are derived.

A line's refund follows from what was bought, what was returned as a whole and what was refunded
line by line, whichever of them came first (decision 008).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from neo4j import ManagedTransaction

from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId

DERIVED = "whole_order"
"""Flag of a line's refund that follows from the return of its order."""

_MOVABLE = ("ts", "quantity", "amount_minor", "received_ts", "source")
"""What an earlier return, or a refund of some pieces, may change of a derived refund."""

Explicit = tuple[int | None, int | None]
"""Quantity and amount that an explicit refund of a line took back, where it said so."""


def is_whole_order(event: Event) -> bool:
    """Whether an event takes back an order without saying which lines."""
    return event.type is EventType.REFUND and event.item_id is None


def orders_of(events: Iterable[Event]) -> set[str]:
    """The orders that these events buy in or take back from."""
    return {
        event.order_id
        for event in events
        if event.order_id is not None and event.type in (EventType.PURCHASE, EventType.REFUND)
    }


@dataclass(frozen=True, slots=True)
class Derived:
    """
    What follows for some orders.

    Attributes:
        new: refunds of lines that the graph has not yet.
        changed: those that it has otherwise.
    """

    new: list[Event]
    changed: list[Event]


def any_returned(tx: ManagedTransaction) -> bool:
    """Whether any order was ever returned as a whole; the store keeps that number."""
    record = tx.run("RETURN COUNT { ()-[:RETURNED]->() } AS n").single(strict=True)
    return bool(record["n"])


def mention(tx: ManagedTransaction, order_ids: Iterable[str]) -> None:
    """Make sure that these orders have a node each."""
    tx.run(
        "UNWIND $orders AS order_id MERGE (:Order {order_id: order_id})",
        orders=sorted(set(order_ids)),
    ).consume()


def derive(tx: ManagedTransaction, order_ids: Collection[str]) -> Derived:
    """The refunds of lines that follow from the returned ones among these orders."""
    derived = Derived([], [])
    returned = _returned(tx, order_ids)
    if not returned:
        return derived
    explicit, have = _refunded(tx, returned)
    for line in _bought(tx, returned):
        refund = _refund(line, returned[line["order_id"]], explicit)
        stored = have.get(refund.event_id)
        if stored is None:
            derived.new.append(refund)
        elif stored != _movable(refund):
            derived.changed.append(refund)
    return derived


def buyers_of_returned(tx: ManagedTransaction, order_ids: Iterable[str]) -> set[UserId]:
    """Who bought in those of these orders that were returned as a whole."""
    rows = tx.run(
        """
        UNWIND $orders AS order_id
        MATCH (o:Order {order_id: order_id})
        USING INDEX SEEK o:Order(order_id)
        WHERE EXISTS { (o)<-[:RETURNED]-() }
        MATCH (buyer)-[p:PURCHASED {order_id: order_id}]->()
        USING INDEX SEEK p:PURCHASED(order_id)
        RETURN DISTINCT buyer.user_id AS user_id
        """,
        orders=sorted(order_ids),
    )
    return {UserId(row["user_id"]) for row in rows}


def change(tx: ManagedTransaction, changed: list[Event]) -> None:
    """Bring refunds of lines that are stored up to date."""
    if not changed:
        return
    tx.run(
        """
        UNWIND $rows AS row
        MATCH ()-[refund:REFUNDED {event_id: row[0]}]->()
        USING INDEX SEEK refund:REFUNDED(event_id)
        SET refund.ts = row[1], refund.quantity = row[2], refund.amount_minor = row[3],
            refund.received_ts = row[4], refund.source = row[5]
        """,
        rows=[[refund.event_id, *_movable(refund)] for refund in changed],
    ).consume()


def _movable(refund: Event) -> tuple[Any, ...]:
    return tuple(getattr(refund, name) for name in _MOVABLE)


def _returned(tx: ManagedTransaction, order_ids: Collection[str]) -> dict[str, Any]:
    """The earliest return of each of the orders that were returned."""
    rows = tx.run(
        """
        UNWIND $orders AS order_id
        MATCH (o:Order {order_id: order_id})<-[r:RETURNED]-()
        USING INDEX SEEK o:Order(order_id)
        WITH order_id, r ORDER BY r.ts, r.event_id
        WITH order_id, head(collect(r)) AS first
        RETURN order_id, first.ts AS ts, first.received_ts AS received_ts, first.source AS source
        """,
        orders=sorted(order_ids),
    )
    return {row["order_id"]: row for row in rows}


def _bought(tx: ManagedTransaction, order_ids: Iterable[str]) -> list[Any]:
    return list(
        tx.run(
            """
            UNWIND $orders AS order_id
            MATCH (buyer)-[p:PURCHASED {order_id: order_id}]->(i)
            USING INDEX SEEK p:PURCHASED(order_id)
            WHERE p.duplicate_of IS NULL
            RETURN order_id, buyer.user_id AS user_id, i.item_id AS item_id,
                   p.event_id AS event_id, p.line AS line, p.quantity AS quantity,
                   p.amount_minor AS amount_minor, p.price_minor AS price_minor,
                   p.currency AS currency, coalesce('bot' IN p.flags, false) AS is_bot
            ORDER BY event_id
            """,
            orders=sorted(order_ids),
        )
    )


def _refunded(
    tx: ManagedTransaction, order_ids: Iterable[str]
) -> tuple[dict[tuple[str, str, int | None], list[Explicit]], dict[str, tuple[Any, ...]]]:
    """What was refunded line by line, by line; and what was derived before, by event id."""
    rows = tx.run(
        """
        UNWIND $orders AS order_id
        MATCH ()-[r:REFUNDED {order_id: order_id}]->(i)
        USING INDEX SEEK r:REFUNDED(order_id)
        RETURN order_id, i.item_id AS item_id, r.line AS line, r.event_id AS event_id, r.ts AS ts,
               r.quantity AS quantity, r.amount_minor AS amount_minor,
               r.received_ts AS received_ts, r.source AS source,
               coalesce($derived IN r.flags, false) AS is_derived
        """,
        orders=sorted(order_ids),
        derived=DERIVED,
    )
    explicit: defaultdict[tuple[str, str, int | None], list[Explicit]] = defaultdict(list)
    derived: dict[str, tuple[Any, ...]] = {}
    for row in rows:
        if row["is_derived"]:
            derived[row["event_id"]] = tuple(row[name] for name in _MOVABLE)
        else:
            place = (row["order_id"], row["item_id"], row["line"])
            explicit[place].append((row["quantity"], row["amount_minor"]))
    return explicit, derived


def _refund(
    line: Any, returned: Any, explicit: dict[tuple[str, str, int | None], list[Explicit]]
) -> Event:
    places = {(line["order_id"], line["item_id"], number) for number in (line["line"], None)}
    before = [one for place in places for one in explicit.get(place, ())]
    quantity, amount = _left(line["quantity"], line["amount_minor"], before)
    return Event(
        event_id=EventId(f"{line['event_id']}|refund"),
        type=EventType.REFUND,
        user_id=UserId(line["user_id"]),
        ts=returned["ts"],
        received_ts=returned["received_ts"],
        source=returned["source"],
        item_id=ItemId(line["item_id"]),
        order_id=line["order_id"],
        line=line["line"],
        quantity=quantity,
        amount_minor=amount,
        price_minor=line["price_minor"],
        currency=line["currency"],
        flags=("bot", DERIVED) if line["is_bot"] else (DERIVED,),
    )


def _left(
    quantity: int | None, amount: int | None, before: list[Explicit]
) -> tuple[int | None, int | None]:
    """Quantity and amount of a line after its explicit refunds; one without quantity took all."""
    if not before:
        return quantity, amount
    pieces, sums = zip(*before, strict=True)
    if quantity is None or None in pieces or sum(pieces) >= quantity:
        return 0, None if amount is None else 0
    is_told = amount is not None and None not in sums
    return quantity - sum(pieces), max(0, amount - sum(sums)) if is_told else None

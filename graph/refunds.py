"""Turns the refund of a whole order into refunds of its lines."""

from collections.abc import Sequence

from neo4j import ManagedTransaction

from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId


def is_whole_order(event: Event) -> bool:
    """Whether an event takes back an order without saying which lines."""
    return event.type is EventType.REFUND and event.item_id is None


def lines_of(tx: ManagedTransaction, refunds: Sequence[Event]) -> dict[EventId, list[Event]]:
    """
    One refund per line that the person bought in the order, also as the visitor they were before.

    Returns:
        By id of the refund; an empty list where no such line is known yet.
    """
    rows = tx.run(
        """
        UNWIND $refunds AS refund
        MATCH (buyer)-[p:PURCHASED {order_id: refund[1]}]->(i)
        WHERE buyer.user_id = refund[2]
           OR EXISTS { (buyer)-[:SAME_AS]-(:User {user_id: refund[2]}) }
        RETURN refund[0] AS refund_id, i.item_id AS item_id, p.line AS line,
               p.quantity AS quantity, p.amount_minor AS amount_minor,
               p.price_minor AS price_minor, p.currency AS currency
        ORDER BY refund_id, line, item_id
        """,
        refunds=[[one.event_id, one.order_id, one.user_id] for one in refunds],
    )
    by_id = {one.event_id: one for one in refunds}
    lines: dict[EventId, list[Event]] = {event_id: [] for event_id in by_id}
    for row in rows:
        refund = by_id[row["refund_id"]]
        place = "" if row["line"] is None else row["line"]
        line = refund._replace(
            event_id=EventId(f"{refund.event_id}|{place}|{row['item_id']}"),
            item_id=ItemId(row["item_id"]),
            line=row["line"],
            quantity=row["quantity"],
            amount_minor=row["amount_minor"],
            price_minor=row["price_minor"],
            currency=row["currency"],
        )
        lines[refund.event_id].append(line)
    return lines

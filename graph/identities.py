"""Who turned out to be whom: a visitor belongs to one customer at a time."""

from collections.abc import Iterable

from neo4j import ManagedTransaction

from graph.domain.ids import UserId


def customers_of(tx: ManagedTransaction, visitors: Iterable[UserId]) -> dict[UserId, UserId]:
    """The customer that each of these visitors turned out to be, where that is known."""
    rows = tx.run(
        """
        UNWIND $visitors AS visitor_id
        MATCH (:User {user_id: visitor_id})-[:SAME_AS]->(customer:User)
        RETURN visitor_id, customer.user_id AS customer_id
        """,
        visitors=sorted(visitors),
    )
    return {UserId(row["visitor_id"]): UserId(row["customer_id"]) for row in rows}

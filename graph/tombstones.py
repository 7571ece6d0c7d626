"""Who was erased, and what is done when an older state of the graph brings them back."""

from collections.abc import Iterable

from neo4j import ManagedTransaction

from graph.domain.ids import UserId

TOMBSTONE = "Tombstone"
"""Label of the nodes that name who was erased by ``user_id``; no restore takes one away."""


def everybody(tx: ManagedTransaction) -> set[UserId]:
    """Everybody who has a tombstone."""
    return {UserId(one) for one in tx.run("MATCH (t:Tombstone) RETURN t.user_id").value()}


def take_out(tx: ManagedTransaction, user_ids: Iterable[UserId]) -> int:
    """Remove the nodes of these people, their edges and the lists they saw; gives how many."""
    record = tx.run(
        """
        UNWIND $user_ids AS user_id
        MATCH (u:User {user_id: user_id})
        CALL (u) {
            MATCH (u)-[:SAW]->(shown:Impression)
            DETACH DELETE shown
        }
        DETACH DELETE u
        RETURN count(*) AS n
        """,
        user_ids=sorted(user_ids),
    ).single(strict=True)
    return int(record["n"])

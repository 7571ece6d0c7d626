"""Who was erased: nothing may be stored of them, wherever it comes from and however late."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from neo4j import ManagedTransaction

from graph import counters
from graph.domain.ids import UserId

TOMBSTONE = "Tombstone"
"""Label of the nodes that name, by ``user_id``, who was erased."""

RECORDS = (TOMBSTONE, "Erasure", "Audit")
"""Labels of what proves that somebody was erased; no restore takes one of these away."""

ERASED = "erased"
"""Stands beside the purposes of consent: of whom nothing at all may be stored."""

ERASURES = "erasures"
"""Counts erasures; who has seen the same number has seen the same tombstones."""


def among(tx: ManagedTransaction, user_ids: Iterable[UserId]) -> set[UserId]:
    """Those of these people who were erased."""
    if not _any(tx):
        return set()
    record = tx.run(
        """
        UNWIND $user_ids AS user_id
        MATCH (t:Tombstone {user_id: user_id})
        USING INDEX SEEK t:Tombstone(user_id)
        RETURN collect(t.user_id) AS found
        """,
        user_ids=sorted(set(user_ids)),
    ).single(strict=True)
    return {UserId(user_id) for user_id in record["found"]}


def every(tx: ManagedTransaction) -> list[UserId]:
    """Everybody who was erased."""
    rows = tx.run("MATCH (t:Tombstone) RETURN t.user_id AS user_id ORDER BY user_id")
    return [UserId(row["user_id"]) for row in rows]


def number(tx: ManagedTransaction) -> int:
    """How many erasures have begun; waits for one that is beginning."""
    return counters.take(tx, ERASURES, 0)


def generations(tx: ManagedTransaction) -> dict[UserId, int]:
    """Who came back after an erasure, by their first pseudonym: how many times."""
    rows = tx.run(
        """
        MATCH (t:Tombstone) WHERE t.generation > 0
        RETURN t.user_id AS user_id, t.generation AS generation
        """
    )
    return {UserId(row["user_id"]): row["generation"] for row in rows}


def reopen(tx: ManagedTransaction, root: UserId, current: UserId) -> int | None:
    """
    Let an erased person in again, as somebody new.

    Args:
        root: the first pseudonym of the person, which an erasure has marked.
        current: the one they were erased under.

    Returns:
        Which pseudonym of theirs counts from now on; ``None`` for somebody who was not erased.
    """
    record = tx.run(
        """
        MATCH (:Tombstone {user_id: $current})
        MATCH (root:Tombstone {user_id: $root})
        SET root.generation = coalesce(root.generation, 0) + 1
        RETURN root.generation AS generation
        """,
        root=root,
        current=current,
    ).single()
    return None if record is None else int(record["generation"])


def lay(
    tx: ManagedTransaction, user_ids: Iterable[UserId], receipt_id: str, *, now_ms: int
) -> None:
    """Mark people as erased; a mark that is there stays as it is."""
    tx.run(
        """
        UNWIND $user_ids AS user_id
        MERGE (t:Tombstone {user_id: user_id})
        ON CREATE SET t.receipt_id = $receipt_id, t.erased_at = $now_ms
        """,
        user_ids=sorted(user_ids),
        receipt_id=receipt_id,
        now_ms=now_ms,
    ).consume()


@dataclass(frozen=True, slots=True)
class Marks:
    """
    All that a graph knows of erasures, to be put back into an older copy of it.

    Attributes:
        tombstones, receipts: properties of the nodes; nothing in them names anybody.
    """

    tombstones: list[dict[str, Any]]
    receipts: list[dict[str, Any]]


def marks(tx: ManagedTransaction) -> Marks:
    """Every tombstone and every receipt."""
    stones = tx.run("MATCH (t:Tombstone) RETURN properties(t) AS told ORDER BY told.user_id")
    receipts = tx.run("MATCH (e:Erasure) RETURN properties(e) AS told ORDER BY told.receipt_id")
    return Marks([row["told"] for row in stones], [row["told"] for row in receipts])


def put_back(tx: ManagedTransaction, known: Marks) -> None:
    """Put marks of another copy beside those that are there; of one mark the later telling wins."""
    counters.take(tx, counters.EVENT_SEQ, 0)
    counters.take(tx, ERASURES, len(known.tombstones))
    tx.run(
        """
        UNWIND $rows AS row
        MERGE (t:Tombstone {user_id: row.user_id})
        SET t += row
        """,
        rows=known.tombstones,
    ).consume()
    tx.run(
        """
        UNWIND $rows AS row
        MERGE (e:Erasure {receipt_id: row.receipt_id})
        SET e += row
        """,
        rows=known.receipts,
    ).consume()


def _any(tx: ManagedTransaction) -> bool:
    # The store keeps this number; most shops have few or none.
    record = tx.run("RETURN COUNT { (:Tombstone) } AS n").single(strict=True)
    return bool(record["n"])

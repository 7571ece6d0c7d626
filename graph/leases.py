"""Who is active until when: one holder at a time, each with a higher fencing number."""

from dataclasses import dataclass

from neo4j import ManagedTransaction

from graph.errors import LeaseLost


@dataclass(frozen=True, slots=True)
class Lease:
    """
    A right to be the only one.

    Attributes:
        fence: grows with every change of holder; a writer with a lower one came too late.
        until_ms: end of the right unless it is renewed, milliseconds UTC.
    """

    name: str
    owner: str
    fence: int
    until_ms: int


def acquire(
    tx: ManagedTransaction, name: str, owner: str, *, now_ms: int, ttl_ms: int
) -> Lease | None:
    """Take or renew a lease; ``None`` while somebody else holds it."""
    record = tx.run(
        """
        MERGE (lease:Lease {name: $name})
        SET lease.touched_at = $now_ms
        WITH lease, lease.owner = $owner AND lease.until_ms > $now_ms AS is_ours,
             lease.owner IS NULL OR lease.until_ms <= $now_ms AS is_free
        FOREACH (_ IN CASE WHEN is_free THEN [1] ELSE [] END |
            SET lease.fence = coalesce(lease.fence, 0) + 1)
        FOREACH (_ IN CASE WHEN is_ours OR is_free THEN [1] ELSE [] END |
            SET lease.owner = $owner, lease.until_ms = $now_ms + $ttl_ms)
        RETURN lease.owner AS owner, lease.fence AS fence, lease.until_ms AS until_ms
        """,
        name=name,
        owner=owner,
        now_ms=now_ms,
        ttl_ms=ttl_ms,
    ).single(strict=True)
    if record["owner"] != owner:
        return None
    return Lease(name, owner, record["fence"], record["until_ms"])


def release(tx: ManagedTransaction, name: str, owner: str) -> None:
    """Give a lease back; nothing happens if somebody else holds it by now."""
    tx.run(
        """
        MATCH (lease:Lease {name: $name}) WHERE lease.owner = $owner
        SET lease.owner = null, lease.until_ms = null
        """,
        name=name,
        owner=owner,
    ).consume()


def check(tx: ManagedTransaction, name: str, fence: int) -> None:
    """
    Make sure, inside a writing transaction, that a lease has not changed hands.

    The lease stays locked until the transaction ends, so nobody takes it in between.

    Raises:
        LeaseLost: somebody else has taken it since.
    """
    record = tx.run(
        """
        MATCH (lease:Lease {name: $name})
        SET lease.fence = lease.fence
        RETURN lease.fence AS fence, lease.owner AS owner
        """,
        name=name,
    ).single()
    if record is None or record["fence"] != fence or record["owner"] is None:
        raise LeaseLost(f"the lease {name} has passed to somebody else")

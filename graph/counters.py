"""Numbers that are given once: the order of events, and the places of nodes in arrays."""

from neo4j import ManagedTransaction

COUNTER = "Counter"
EVENT_SEQ = "event_seq"
USER_IDX = "user_idx"
ITEM_IDX = "item_idx"


def take(tx: ManagedTransaction, name: str, count: int) -> int:
    """
    Take ``count`` numbers in a row; the counter stays locked until the transaction ends.

    So whoever reads a number knows that all lower ones are committed or were given up.

    Returns:
        The number before the first taken one; the first of all is 1.
    """
    record = tx.run(
        """
        MERGE (c:Counter {name: $name}) ON CREATE SET c.value = 0
        SET c.value = c.value + $count
        RETURN c.value - $count AS before
        """,
        name=name,
        count=count,
    ).single(strict=True)
    return int(record["before"])


def note_names(tx: ManagedTransaction, name: str, names: set[str]) -> set[str]:
    """Add names to those that are kept beside a counter, and give all of them."""
    record = tx.run(
        """
        MERGE (c:Counter {name: $name}) ON CREATE SET c.value = 0
        SET c.names = coalesce(c.names, []) + [one IN $names WHERE NOT one IN coalesce(c.names, [])]
        RETURN c.names AS names
        """,
        name=name,
        names=sorted(names),
    ).single(strict=True)
    return set(record["names"])


def current(tx: ManagedTransaction, name: str) -> int:
    """The highest number given so far, 0 before the first."""
    record = tx.run("MATCH (c:Counter {name: $name}) RETURN c.value AS value", name=name).single()
    return 0 if record is None else int(record["value"])

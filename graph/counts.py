"""How much is in the graph."""

from dataclasses import dataclass

from neo4j import ManagedTransaction

BOOKS = "MIGRATED_TO"
"""The books of the migrations are no part of the shop."""


@dataclass(frozen=True, slots=True)
class GraphCounts:
    """Number of nodes by label and of relationships by type; what does not occur is left out."""

    nodes: dict[str, int]
    relationships: dict[str, int]


def counts(tx: ManagedTransaction) -> GraphCounts:
    """Count everything; the store keeps these numbers, so it takes no longer in a big graph."""
    labels = [row["label"] for row in tx.run("CALL db.labels() YIELD label RETURN label")]
    types = [
        row["type"]
        for row in tx.run(
            "CALL db.relationshipTypes() YIELD relationshipType RETURN relationshipType AS type"
        )
    ]
    return GraphCounts(
        _count(tx, {name: f"(:{quoted(name)})" for name in labels if name[:2] != "__"}),
        _count(tx, {name: f"()-[:{quoted(name)}]->()" for name in types if name != BOOKS}),
    )


def _count(tx: ManagedTransaction, patterns: dict[str, str]) -> dict[str, int]:
    # Labels and types cannot be parameters, and only a bare pattern is counted without a scan.
    counted = ", ".join(f"COUNT {{ {pattern} }}" for pattern in patterns.values())
    record = tx.run(f"RETURN [{counted}] AS counts").single(strict=True)
    found = zip(patterns, record["counts"], strict=True)
    return {name: n for name, n in sorted(found) if n > 0}


def quoted(name: str) -> str:
    """A label, type or property as a query may name it, whatever letters it has."""
    return "`" + name.replace("`", "``") + "`"


def views_and_facts(tx: ManagedTransaction) -> tuple[int, int]:
    """How many views are stored, and how many different events they come from; a full scan."""
    found = tx.run(
        "MATCH ()-[r:VIEWED]->() RETURN count(r) AS edges, count(DISTINCT r.event_id) AS facts"
    ).single(strict=True)
    return found["edges"], found["facts"]

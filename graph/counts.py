"""How much is in the graph."""

from dataclasses import dataclass

from neo4j import ManagedTransaction


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
        _by_name(tx, [(name, f"(n:`{_safe(name)}`)") for name in labels if name[:2] != "__"]),
        _by_name(tx, [(name, f"()-[n:`{_safe(name)}`]->()") for name in types]),
    )


def _by_name(tx: ManagedTransaction, patterns: list[tuple[str, str]]) -> dict[str, int]:
    # Labels and types cannot be parameters, and only a bare one is counted without a scan.
    if not patterns:
        return {}
    query = " UNION ALL ".join(
        f"MATCH {pattern} RETURN {place} AS place, count(n) AS n"
        for place, (_, pattern) in enumerate(patterns)
    )
    found = {patterns[row["place"]][0]: row["n"] for row in tx.run(query) if row["n"] > 0}
    return dict(sorted(found.items()))


def _safe(name: str) -> str:
    return name.replace("`", "``")

"""What of some events is in the graph."""

from neo4j import ManagedTransaction


def stored(tx: ManagedTransaction, relationship: str) -> tuple[int, int, int]:
    """How many edges of a type there are, and how many different ids and numbers they have."""
    found = tx.run(
        f"""
        MATCH ()-[r:{relationship}]->()
        RETURN count(r) AS n, count(DISTINCT r.event_id) AS ids, count(DISTINCT r.seq) AS seqs
        """
    ).single(strict=True)
    return found["n"], found["ids"], found["seqs"]

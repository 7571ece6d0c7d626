"""What has been kept long enough: taken away in small transactions, and counted."""

from collections import Counter
from functools import lru_cache

from neo4j import ManagedTransaction

from graph.edges import ALL_EDGES, Edge

AT_ONCE = 10_000


def forget_payloads(
    tx: ManagedTransaction, edge: Edge, *, before_ms: int, kept_sources: list[str]
) -> int:
    """Take the client's own words, ``attributes`` and ``context``, off some old edges."""
    record = tx.run(_payloads(edge), before=before_ms, kept=kept_sources, most=AT_ONCE).single(
        strict=True
    )
    return int(record["n"])


def forget_edges(
    tx: ManagedTransaction, edge: Edge, *, before_ms: int, kept_sources: list[str]
) -> Counter[str]:
    """Take away some old edges, and what hung on them alone; by what they were."""
    record = tx.run(_edges(edge), before=before_ms, kept=kept_sources, most=AT_ONCE).single(
        strict=True
    )
    taken: Counter[str] = Counter({f"edges.{edge.relationship}": record["n"]})
    taken.update(f"nodes.{label}" for label in record["labels"])
    return taken


def forget_people(tx: ManagedTransaction, *, before_ms: int) -> Counter[str]:
    """Take away some people who did nothing since, said nothing, and were sent nothing."""
    record = tx.run(
        """
        MATCH (u:User)
        WHERE u.last_seen < $before AND NOT coalesce(u.is_staff, false)
          AND u.consent_collection IS NULL AND u.consent_personalisation IS NULL
          AND u.consent_marketing IS NULL
          AND NOT EXISTS { (u)-[r]-() WHERE NOT type(r) IN ['USES', 'SAME_AS', 'IDENTIFIED'] }
          AND NOT EXISTS { (u)-[:SAME_AS|IDENTIFIED]-(o:User) WHERE o.last_seen >= $before }
        WITH u LIMIT $most
        OPTIONAL MATCH (u)-[:USES]->(d:Device)
        WITH collect(DISTINCT u) AS people, collect(DISTINCT d) AS devices
        FOREACH (u IN people | DETACH DELETE u)
        WITH people, [d IN devices WHERE NOT EXISTS { (d)--() }] AS alone
        FOREACH (d IN alone | DELETE d)
        RETURN size(people) AS people, size(alone) AS devices
        """,
        before=before_ms,
        most=AT_ONCE,
    ).single(strict=True)
    return Counter({"nodes.User": record["people"], "nodes.Device": record["devices"]})


@lru_cache(maxsize=len(ALL_EDGES))
def _payloads(edge: Edge) -> str:
    return f"""
        MATCH ()-[r:{edge.relationship}]->()
        WHERE r.received_ts < $before AND NOT r.source IN $kept
          AND (r.attributes IS NOT NULL OR r.context IS NOT NULL)
        WITH r LIMIT $most
        REMOVE r.attributes, r.context
        RETURN count(r) AS n
    """


@lru_cache(maxsize=len(ALL_EDGES))
def _edges(edge: Edge) -> str:
    # A login is no behaviour: it ends with the people it joins.
    return f"""
        MATCH ()-[r:{edge.relationship}]->(other)
        WHERE r.ts < $before AND NOT r.source IN $kept
        WITH r, other LIMIT $most
        WITH collect(r) AS edges,
             [one IN collect(DISTINCT other) WHERE one:Query OR one:Impression OR one:Order] AS ends
        FOREACH (edge IN edges | DELETE edge)
        WITH size(edges) AS n, ends
        CALL (ends) {{
            UNWIND ends AS end
            WITH end WHERE NOT EXISTS {{ (end)--() }}
            WITH end, labels(end)[0] AS label
            DELETE end
            RETURN collect(label) AS labels
        }}
        RETURN n, labels
    """

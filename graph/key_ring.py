"""Which key the pseudonyms in the graph were made with, and moving them to the next one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from neo4j import ManagedTransaction

from graph.edges import ALL_EDGES, Edge

AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where pseudonyms stand: label and property; ``ref`` beside them is the encrypted raw id."""

    label: str
    name: str
    has_ref: bool = False


PLACES = (
    Place("User", "user_id", has_ref=True),
    Place("Device", "device_id"),
    Place("Tombstone", "user_id"),
    Place("Audit", "about"),
)


def current(tx: ManagedTransaction) -> str | None:
    """Id of the key that all pseudonyms were made with; ``None`` in a graph that never met one."""
    record = tx.run("MATCH (k:KeyRing {name: 'pseudonyms'}) RETURN k.key_id AS key_id").single()
    return None if record is None else str(record["key_id"])


def settle(tx: ManagedTransaction, key_id: str) -> str:
    """Note the key of a graph that never met one; says which one counts."""
    record = tx.run(
        """
        MERGE (k:KeyRing {name: 'pseudonyms'})
        ON CREATE SET k.key_id = $key_id
        RETURN k.key_id AS key_id
        """,
        key_id=key_id,
    ).single(strict=True)
    return str(record["key_id"])


def change(tx: ManagedTransaction, key_id: str) -> None:
    """All pseudonyms are made with this key now."""
    tx.run(
        "MERGE (k:KeyRing {name: 'pseudonyms'}) SET k.key_id = $key_id, k.progress = null",
        key_id=key_id,
    ).consume()


def move(
    tx: ManagedTransaction,
    place: Place,
    key_id: str,
    renewed: Callable[[str, str | None], str],
    resealed: Callable[[str], str],
) -> int:
    """
    Put new pseudonyms in place of some old ones; says how many.

    Each node notes the key it was moved to, so that a move that was cut short goes on.

    Args:
        renewed: a pseudonym's new form, by the key that its node notes, if it notes one.
    """
    rows = [
        [
            row["told"],
            renewed(row["told"], row["made"]),
            None if row["ref"] is None else resealed(row["ref"]),
        ]
        for row in tx.run(_left(place), key_id=key_id, most=AT_ONCE).fetch(AT_ONCE)
    ]
    tx.run(_changed(place), rows=rows, key_id=key_id).consume()
    return len(rows)


def move_edges(
    tx: ManagedTransaction, edge: Edge, key_id: str, renewed: Callable[[str, None], str]
) -> int:
    """
    Put new pseudonyms of devices on the next edges of one type; says how many.

    How far it is stands at the key ring, since a mark on each edge would take more room.
    """
    place = f"{edge.relationship}:{key_id}"
    progress = _progress(tx)
    rows = tx.run(_edges_left(edge), after=progress.get(place, 0), most=AT_ONCE).fetch(AT_ONCE)
    if not rows:
        return 0
    tx.run(
        _edges_changed(edge), rows=[[row["id"], renewed(row["told"], None)] for row in rows]
    ).consume()
    tx.run(
        "MATCH (k:KeyRing {name: 'pseudonyms'}) SET k.progress = $progress",
        progress=json.dumps({**progress, place: rows[-1]["seq"]}),
    ).consume()
    return len(rows)


def _progress(tx: ManagedTransaction) -> dict[str, int]:
    record = tx.run(
        "MATCH (k:KeyRing {name: 'pseudonyms'}) RETURN coalesce(k.progress, '{}') AS progress"
    ).single(strict=True)
    found: dict[str, int] = json.loads(record["progress"])
    return found


@lru_cache(maxsize=len(ALL_EDGES))
def _edges_left(edge: Edge) -> str:
    return f"""
        MATCH ()-[r:{edge.relationship}]->()
        WHERE r.seq > $after AND r.device_id IS NOT NULL
        RETURN r.event_id AS id, r.device_id AS told, r.seq AS seq ORDER BY seq LIMIT $most
    """


@lru_cache(maxsize=len(ALL_EDGES))
def _edges_changed(edge: Edge) -> str:
    return f"""
        UNWIND $rows AS row
        MATCH ()-[r:{edge.relationship} {{event_id: row[0]}}]->()
        USING INDEX SEEK r:{edge.relationship}(event_id)
        SET r.device_id = row[1]
    """


@lru_cache(maxsize=len(PLACES))
def _left(place: Place) -> str:
    ref = "n.ref" if place.has_ref else "null"
    return f"""
        MATCH (n:{place.label})
        WHERE coalesce(n.key_id, '') <> $key_id AND left(n.{place.name}, 2) IN ['c_', 'v_', 'd_']
        RETURN DISTINCT n.{place.name} AS told, {ref} AS ref, n.key_id AS made
        ORDER BY told LIMIT $most
    """


@lru_cache(maxsize=len(PLACES))
def _changed(place: Place) -> str:
    also = ", n.ref = row[2]" if place.has_ref else ""
    return f"""
        UNWIND $rows AS row
        MATCH (n:{place.label} {{{place.name}: row[0]}})
        SET n.{place.name} = row[1], n.key_id = $key_id{also}
    """

"""Devices, and who uses them."""

from collections.abc import Iterable

from neo4j import ManagedTransaction

from graph.domain.events import Event


def note_use(tx: ManagedTransaction, events: Iterable[Event]) -> None:
    """Note which device each of these events came from, with first and last sight."""
    seen: dict[tuple[str, str], tuple[str | None, int, int]] = {}
    for event in events:
        if event.device_id is None:
            continue
        key = (event.device_id, event.user_id)
        kind, first, last = seen.get(key, (None, event.ts, event.ts))
        seen[key] = (kind or event.device_type, min(first, event.ts), max(last, event.ts))
    if not seen:
        return
    tx.run(
        """
        UNWIND $rows AS row
        MERGE (d:Device {device_id: row[0]})
        SET d.kind = coalesce(d.kind, row[2]),
            d.first_seen = CASE WHEN d.first_seen <= row[3] THEN d.first_seen ELSE row[3] END,
            d.last_seen = CASE WHEN d.last_seen >= row[4] THEN d.last_seen ELSE row[4] END
        WITH d, row
        MATCH (u:User {user_id: row[1]})
        MERGE (u)-[uses:USES]->(d)
        SET uses.first_seen =
                CASE WHEN uses.first_seen <= row[3] THEN uses.first_seen ELSE row[3] END,
            uses.last_seen =
                CASE WHEN uses.last_seen >= row[4] THEN uses.last_seen ELSE row[4] END
        """,
        rows=[[*key, *value] for key, value in sorted(seen.items())],
    ).consume()

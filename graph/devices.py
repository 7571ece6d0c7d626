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
        # Of several words for one device the last of the alphabet, so that no order counts.
        kind = max(filter(None, (kind, event.device_type)), default=None)
        seen[key] = (kind, min(first, event.ts), max(last, event.ts))
    if not seen:
        return
    tx.run(
        """
        UNWIND $rows AS row
        MERGE (d:Device {device_id: row[0]})
        SET d.kind = CASE WHEN d.kind >= row[2] THEN d.kind ELSE coalesce(row[2], d.kind) END,
            d.first_seen = CASE WHEN d.first_seen <= row[3] THEN d.first_seen ELSE row[3] END,
            d.last_seen = CASE WHEN d.last_seen >= row[4] THEN d.last_seen ELSE row[4] END
        WITH d, row
        MATCH (u:User {user_id: row[1]})
        USING INDEX SEEK u:User(user_id)
        MERGE (u)-[uses:USES]->(d)
        SET uses.first_seen =
                CASE WHEN uses.first_seen <= row[3] THEN uses.first_seen ELSE row[3] END,
            uses.last_seen =
                CASE WHEN uses.last_seen >= row[4] THEN uses.last_seen ELSE row[4] END
        """,
        rows=[[*key, *value] for key, value in sorted(seen.items())],
    ).consume()

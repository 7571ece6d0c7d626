"""What the shop sells: kept up to date, taken away, looked up."""

from collections.abc import Iterable, Sequence

from neo4j import ManagedTransaction

from graph import counters
from graph.domain.catalogue import Item
from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ItemId

_FIELDS = (
    "title", "price_minor", "currency", "is_hidden", "available_from", "available_until",
    "image_url", "seller_id", "attributes",
)  # fmt: skip
"""Fields of an item that are plain properties of its node."""


def upsert(tx: ManagedTransaction, items: Sequence[Item], *, now_ms: int) -> None:
    """
    Store items field by field; the newest ``updated_at`` wins, whatever the order of arrival.

    A field that is ``None`` stays as it was. An item without ``updated_at`` counts as changed now.
    An item that was removed comes back when it is stored with a newer time.
    """
    newest: dict[ItemId, Item] = {}
    for item in sorted(items, key=lambda one: one.updated_at or now_ms):
        newest[item.item_id] = _over(newest.get(item.item_id), item)
    mention(tx, newest)
    changed = _update(tx, list(newest.values()), now_ms)
    now_current = [newest[item_id] for item_id in changed]
    _file_under(tx, now_current)
    _brand(tx, now_current)


def mention(tx: ManagedTransaction, item_ids: Iterable[ItemId]) -> None:
    """Make sure that these items have a node each, bare where nothing else is known of them."""
    record = tx.run(
        """
        UNWIND $ids AS id
        OPTIONAL MATCH (i:Item {item_id: id})
        USING INDEX SEEK i:Item(item_id)
        WITH id, i WHERE i IS NULL
        RETURN collect(id) AS missing
        """,
        ids=sorted(item_ids),
    ).single(strict=True)
    missing = record["missing"]
    if not missing:
        return
    before = counters.take(tx, counters.ITEM_IDX, len(missing))
    tx.run(
        """
        UNWIND $rows AS row
        MERGE (i:Item {item_id: row[0]})
        ON CREATE SET i.idx = row[1]
        """,
        rows=[[item_id, before + k] for k, item_id in enumerate(missing, start=1)],
    ).consume()


def remove(tx: ManagedTransaction, item_ids: Sequence[ItemId], *, now_ms: int) -> None:
    """Take items out of the shop; what people did with them stays."""
    tx.run(
        """
        UNWIND $ids AS id
        MATCH (i:Item {item_id: id})
        USING INDEX SEEK i:Item(item_id)
        SET i.is_deleted = true, i.deleted_at = $now_ms, i.updated_at = $now_ms
        """,
        ids=sorted(item_ids),
        now_ms=now_ms,
    ).consume()


def exists(tx: ManagedTransaction, item_id: ItemId) -> bool:
    """Whether the graph has a node for this item that is not removed."""
    record = tx.run(
        """
        MATCH (i:Item {item_id: $item_id}) WHERE i.is_deleted IS NULL
        RETURN count(i) AS n
        """,
        item_id=item_id,
    ).single(strict=True)
    return bool(record["n"])


def servable(tx: ManagedTransaction, item_ids: Sequence[ItemId], *, now_ms: int) -> set[ItemId]:
    """Those of the items that may be shown now: known, not hidden, not removed, in their time."""
    rows = tx.run(
        """
        UNWIND $ids AS id
        MATCH (i:Item {item_id: id})
        USING INDEX SEEK i:Item(item_id)
        WHERE i.is_deleted IS NULL AND NOT coalesce(i.is_hidden, false)
          AND coalesce(i.available_from <= $now_ms, true)
          AND coalesce(i.available_until > $now_ms, true)
        RETURN collect(id) AS ids
        """,
        ids=list(item_ids),
        now_ms=now_ms,
    ).single(strict=True)
    return {ItemId(item_id) for item_id in rows["ids"]}


def details(tx: ManagedTransaction, item_ids: Sequence[ItemId]) -> dict[ItemId, Item]:
    """Everything the shop said about those of the items that are known."""
    rows = tx.run(
        """
        UNWIND $ids AS id
        MATCH (i:Item {item_id: id})
        USING INDEX SEEK i:Item(item_id)
        OPTIONAL MATCH (i)-[:OF_BRAND]->(b:Brand)
        CALL (i) {
            MATCH (i)-[under:IN_CATEGORY]->(c:Category)
            WITH c ORDER BY under.rank
            RETURN collect(c.path) AS categories
        }
        RETURN i {.item_id, .title, .price_minor, .currency, .is_hidden, .available_from,
                  .available_until, .image_url, .seller_id, .attributes, .created_at,
                  .updated_at} AS item, b.name AS brand, categories
        """,
        ids=list(item_ids),
    )
    found = {}
    for row in rows:
        categories = tuple(row["categories"]) or None
        item = Item(**row["item"], brand=row["brand"], categories=categories)
        found[item.item_id] = item
    return found


def popular(
    tx: ManagedTransaction, *, since_ms: int, limit: int, category: str | None = None
) -> list[tuple[ItemId, float]]:
    """
    Items by the weight of what people did with them since then, best first.

    For the time before the first model. It reads every event of the time asked for; what bots and
    staff did is left out.

    Args:
        category: only items filed under this path or below it.
    """
    rows = tx.run(
        """
        MATCH (u:User)-[r:CLICKED|VIEWED|CARTED|UNCARTED|FAVORITED|UNFAVORITED|PURCHASED
                         |REFUNDED|REVIEWED|INQUIRED|SHARED]->(i:Item)
        WHERE r.ts >= $since_ms AND r.duplicate_of IS NULL
          AND NOT coalesce('bot' IN r.flags, false)
          AND NOT coalesce(u.is_bot OR u.is_staff, false)
          AND (u.kind <> 'visitor' OR NOT EXISTS {
              MATCH (u)-[:SAME_AS]->(c:User) WHERE c.is_bot OR c.is_staff })
        WITH i, sum($weights[type(r)]) AS weight
        WHERE weight > 0 AND i.is_deleted IS NULL AND NOT coalesce(i.is_hidden, false)
          AND ($category IS NULL OR EXISTS {
              MATCH (i)-[:IN_CATEGORY]->(c:Category)
              WHERE c.path = $category OR c.path STARTS WITH $category + '/' })
        RETURN i.item_id AS item_id, weight
        ORDER BY weight DESC, item_id LIMIT $limit
        """,
        since_ms=since_ms,
        limit=limit,
        category=category,
        weights={one.relationship: one.weight for one in ITEM_BEHAVIOURS.values()},
    )
    return [(ItemId(row["item_id"]), float(row["weight"])) for row in rows]


def _over(older: Item | None, newer: Item) -> Item:
    """The newer telling, with what it does not say taken from the older one."""
    if older is None:
        return newer
    said = {name: getattr(newer, name) for name in Item.__dataclass_fields__}
    return Item(
        **{name: getattr(older, name) if value is None else value for name, value in said.items()}
    )


def _update(tx: ManagedTransaction, items: Sequence[Item], now_ms: int) -> list[ItemId]:
    """Set what is newer than stored; returns the items for which it was."""
    rows = [
        [
            item.item_id,
            now_ms if item.updated_at is None else item.updated_at,
            {name: getattr(item, name) for name in _FIELDS if getattr(item, name) is not None},
            item.created_at,
            now_ms,
        ]
        for item in sorted(items, key=lambda one: one.item_id)
    ]
    record = tx.run(
        """
        UNWIND $rows AS row
        MATCH (i:Item {item_id: row[0]})
        USING INDEX SEEK i:Item(item_id)
        WHERE i.updated_at IS NULL OR i.updated_at <= row[1]
        SET i += row[2]
        SET i.updated_at = row[1],
            i.created_at = coalesce(row[3], i.created_at, row[4]),
            i.is_deleted = null, i.deleted_at = null
        RETURN collect(row[0]) AS changed
        """,
        rows=rows,
    ).single(strict=True)
    return [ItemId(item_id) for item_id in record["changed"]]


def _file_under(tx: ManagedTransaction, items: Sequence[Item]) -> None:
    filed = [[item.item_id, list(item.categories)] for item in items if item.categories is not None]
    if not filed:
        return
    paths = {path for _, categories in filed for path in categories}
    tx.run("UNWIND $paths AS path MERGE (:Category {path: path})", paths=sorted(paths)).consume()
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (i:Item {item_id: row[0]})-[under:IN_CATEGORY]->(c:Category)
        USING INDEX SEEK i:Item(item_id)
        WHERE NOT c.path IN row[1]
        DELETE under
        """,
        rows=filed,
    ).consume()
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (i:Item {item_id: row[0]})
        USING INDEX SEEK i:Item(item_id)
        MATCH (c:Category {path: row[1]})
        USING INDEX SEEK c:Category(path)
        MERGE (i)-[under:IN_CATEGORY]->(c)
        SET under.rank = row[2]
        """,
        rows=[[id_, path, rank] for id_, paths in filed for rank, path in enumerate(paths)],
    ).consume()


def _brand(tx: ManagedTransaction, items: Sequence[Item]) -> None:
    rows = [[item.item_id, item.brand] for item in items if item.brand is not None]
    if not rows:
        return
    brands = sorted({str(brand) for _, brand in rows})
    tx.run("UNWIND $names AS name MERGE (:Brand {name: name})", names=brands).consume()
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (i:Item {item_id: row[0]})-[of:OF_BRAND]->(b:Brand)
        USING INDEX SEEK i:Item(item_id)
        WHERE b.name <> row[1]
        DELETE of
        """,
        rows=rows,
    ).consume()
    tx.run(
        """
        UNWIND $rows AS row
        MATCH (i:Item {item_id: row[0]})
        USING INDEX SEEK i:Item(item_id)
        MATCH (b:Brand {name: row[1]})
        USING INDEX SEEK b:Brand(name)
        MERGE (i)-[:OF_BRAND]->(b)
        """,
        rows=rows,
    ).consume()

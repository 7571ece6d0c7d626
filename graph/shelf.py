"""When and where each item may be shown, in the few words that an answer needs."""

from collections.abc import Sequence
from typing import NamedTuple

from neo4j import ManagedTransaction

from graph.domain.ids import ItemId


class OnShelf(NamedTuple):
    """
    What decides whether an item may be in a list.

    Attributes:
        is_away: hidden or removed.
        available_from, available_until: milliseconds UTC; ``None`` is no limit.
        categories: paths that it is filed under, the main one first.
        attributes: JSON text of an object.
    """

    is_away: bool
    available_from: int | None = None
    available_until: int | None = None
    categories: tuple[str, ...] = ()
    brand: str | None = None
    price_minor: int | None = None
    attributes: str | None = None

    def is_shown(self, now_ms: int) -> bool:
        """Whether it may be shown at a moment."""
        return (
            not self.is_away
            and (self.available_from is None or self.available_from <= now_ms)
            and (self.available_until is None or self.available_until > now_ms)
        )

    def is_within(self, category: str) -> bool:
        """Whether it is filed under a category or below it."""
        below = (f"{category}/", f"{category} > ")
        return any(path == category or path.startswith(below) for path in self.categories)


ABSENT = OnShelf(is_away=True)
"""What counts for an item that the graph does not know."""


def on_shelf(tx: ManagedTransaction, item_ids: Sequence[ItemId]) -> dict[ItemId, OnShelf]:
    """What is known of these items; those without a node are missing."""
    rows = tx.run(
        """
        UNWIND $ids AS id
        MATCH (i:Item {item_id: id})
        USING INDEX SEEK i:Item(item_id)
        CALL (i) {
            MATCH (i)-[under:IN_CATEGORY]->(c:Category)
            WITH c ORDER BY under.rank
            RETURN collect(c.path) AS categories
        }
        RETURN id, coalesce(i.is_hidden, false) OR i.is_deleted IS NOT NULL AS is_away,
               i.available_from, i.available_until, categories,
               head([(i)-[:OF_BRAND]->(b:Brand) | b.name]) AS brand, i.price_minor, i.attributes
        """,
        ids=list(item_ids),
    )
    return {
        ItemId(id_): OnShelf(is_away, begins, ends, tuple(categories), *rest)
        for id_, is_away, begins, ends, categories, *rest in (row.values() for row in rows)
    }

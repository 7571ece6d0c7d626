"""What the graph itself knows about an answer: nearest neighbours, and why an item fits."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from neo4j import ManagedTransaction

from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ItemId, UserId

RECENT = 200
"""So many of a person's latest events are looked through for a reason."""

_WEIGHTS = {one.relationship: one.weight for one in ITEM_BEHAVIOURS.values() if one.weight > 0}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """An item and how well it fits; for neighbours the cosine of two vectors, from -1 to 1."""

    item_id: ItemId
    score: float


@dataclass(frozen=True, slots=True)
class Reason:
    """
    Why an item is shown.

    Attributes:
        code: such as ``bought_again``, ``viewed_before``, ``similar_to_purchased`` or
            ``category_purchased``.
        path: the person's own edges that lead to the item, from ``you`` on: nodes and types of
            relationships in turn.
    """

    code: str
    path: list[str] = field(default_factory=list)


def similar_items(tx: ManagedTransaction, item_id: ItemId, *, limit: int) -> list[Recommendation]:
    """
    The nearest neighbours of an item, best first; hidden and removed items are left out.

    Returns:
        At most ``limit``. Empty for an unknown item.
    """
    rows = tx.run(
        """
        MATCH (:Item {item_id: $item_id})-[near:SIMILAR_TO]->(other:Item)
        WHERE other.is_deleted IS NULL AND NOT coalesce(other.is_hidden, false)
        RETURN other.item_id AS item_id, near.score AS score
        ORDER BY score DESC, item_id LIMIT $limit
        """,
        item_id=item_id,
        limit=limit,
    )
    return [Recommendation(ItemId(row["item_id"]), row["score"]) for row in rows]


def reasons(
    tx: ManagedTransaction, user_id: UserId, item_ids: Sequence[ItemId]
) -> dict[ItemId, Reason]:
    """
    The strongest real path from a person to each of the items; no path, no entry.

    The item itself comes before a similar one, and that before one of the same category.
    """
    found: dict[ItemId, Reason] = {}
    for row in _paths(tx, user_id, item_ids):
        found.setdefault(ItemId(row[0]), _reason(*row))
    return found


def _paths(
    tx: ManagedTransaction, user_id: UserId, item_ids: Sequence[ItemId]
) -> list[tuple[str, str, str, str, str | None]]:
    """Target, type, touched item, kind of path and category, the strongest first."""
    rows = tx.run(
        """
        MATCH (me:User {user_id: $user_id})
        CALL (me) {
            RETURN me AS person
            UNION
            MATCH (me)<-[:SAME_AS]-(person:User) RETURN person
            UNION
            MATCH (me)-[:SAME_AS]->(person:User) RETURN person
        }
        MATCH (person)-[r:CLICKED|VIEWED|CARTED|FAVORITED|PURCHASED|REVIEWED|INQUIRED|SHARED]
              ->(seen:Item)
        WITH seen, r ORDER BY r.ts DESC LIMIT $recent
        WITH seen, type(r) AS type, $weights[type(r)] AS weight, max(r.ts) AS ts
        CALL (seen) {
            WITH seen WHERE seen.item_id IN $item_ids
            RETURN seen AS target, 'self' AS kind, 2.0 AS closeness, null AS category
            UNION
            MATCH (seen)-[near:SIMILAR_TO]->(target:Item) WHERE target.item_id IN $item_ids
            RETURN target, 'similar' AS kind, near.score AS closeness, null AS category
            UNION
            MATCH (seen)-[:IN_CATEGORY {rank: 0}]->(c:Category)
            MATCH (target:Item)-[:IN_CATEGORY {rank: 0}]->(c) WHERE target.item_id IN $item_ids
            RETURN target, 'category' AS kind, 0.0 AS closeness, c.path AS category
        }
        RETURN target.item_id AS target, type, seen.item_id AS seen, kind, category
        ORDER BY kind = 'self' DESC, kind = 'similar' DESC, weight * closeness DESC, weight DESC,
                 ts DESC, seen
        """,
        user_id=user_id,
        item_ids=list(item_ids),
        recent=RECENT,
        weights=_WEIGHTS,
    )
    return [(row["target"], row["type"], row["seen"], row["kind"], row["category"]) for row in rows]


def _reason(target: str, type_: str, seen: str, kind: str, category: str | None) -> Reason:
    touched = type_.lower()
    if kind == "self":
        code = "bought_again" if type_ == "PURCHASED" else f"{touched}_before"
        return Reason(code, ["you", type_, seen])
    if kind == "similar":
        return Reason(f"similar_to_{touched}", ["you", type_, seen, "SIMILAR_TO", target])
    path = ["you", type_, seen, "IN_CATEGORY", str(category), "IN_CATEGORY", target]
    return Reason(f"category_{touched}", path)

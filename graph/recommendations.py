"""What the graph itself knows about an answer: nearest neighbours, and why an item fits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from neo4j import ManagedTransaction

from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ItemId, UserId
from graph.identities import SAME_PERSON

RECENT = 200
"""So many of a person's latest events are looked through for a reason."""

WEIGHTS = {one.relationship: one.weight for one in ITEM_BEHAVIOURS.values() if one.weight > 0}
"""What each behaviour says for an item; those that speak against one give no reason."""


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


class Step(NamedTuple):
    """What a person did last with an item, and how much it says."""

    item_id: str
    type: str
    weight: float
    category: str | None


def same(step: Step) -> Reason:
    """They did it with this very item."""
    code = "bought_again" if step.type == "PURCHASED" else f"{step.type.lower()}_before"
    return Reason(code, ["you", step.type, step.item_id])


def neighbouring(step: Step, target: str) -> Reason:
    """The item is next to one they did it with."""
    path = ["you", step.type, step.item_id, "SIMILAR_TO", target]
    return Reason(f"similar_to_{step.type.lower()}", path)


def filed_alike(step: Step, target: str) -> Reason:
    """The item is of the main category of one they did it with."""
    path = ["you", step.type, step.item_id, "IN_CATEGORY", str(step.category), "IN_CATEGORY"]
    return Reason(f"category_{step.type.lower()}", [*path, target])


def shown_by(reason: Reason, user_id: UserId) -> str | None:
    """A query that shows a reason's path in Neo4j Browser; nothing where there is no path."""
    if not reason.path:
        return None
    nodes, types = reason.path[2::2], reason.path[1::2]
    labels = ["Item", "Category", "Item"] if "IN_CATEGORY" in types else ["Item", "Item"]
    keys = {"Item": "item_id", "Category": "path"}
    steps = ""
    for place, (type_, label, node) in enumerate(zip(types, labels, nodes, strict=False)):
        back = "<" if place and type_ == "IN_CATEGORY" and label == "Item" else ""
        ahead = "" if back else ">"
        steps += f"{back}-[:{type_}]-{ahead}(:{label} {{{keys[label]}: {_quoted(node)}}})"
    me = f"(:User {{user_id: {_quoted(user_id)}}})-[:SAME_AS*0..2]-(:User)"
    return f"MATCH path = {me}{steps} RETURN path LIMIT 10"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def strongest(
    steps: Iterable[Step],
    categories: Mapping[ItemId, str | None],
    nearest: Callable[[Mapping[str, Step]], Mapping[str, Step]],
) -> dict[ItemId, Reason]:
    """
    The strongest path to each of the items; no path, no entry.

    The item itself comes before one next to it, and that before one of the same category.

    Args:
        steps: of a person, the strongest first.
        categories: main category of each of the items.
        nearest: for the items that are next to one of the steps, by item, that step.
    """
    by_item: dict[str, Step] = {}
    by_category: dict[str, Step] = {}
    for step in steps:
        by_item.setdefault(step.item_id, step)
        if step.category is not None:
            by_category.setdefault(step.category, step)
    near = nearest(by_item)
    found: dict[ItemId, Reason] = {}
    for item_id, category in categories.items():
        if item_id in by_item:
            found[item_id] = same(by_item[item_id])
        elif item_id in near:
            found[item_id] = neighbouring(near[item_id], item_id)
        elif category is not None and category in by_category:
            found[item_id] = filed_alike(by_category[category], item_id)
    return found


def reasons(
    tx: ManagedTransaction, user_id: UserId, item_ids: Sequence[ItemId]
) -> dict[ItemId, Reason]:
    """The strongest real path from a person to each of the items; no path, no entry."""
    return strongest(
        _steps(tx, user_id),
        _categories(tx, item_ids),
        lambda by_item: _nearest(tx, list(by_item), item_ids, by_item),
    )


def _steps(tx: ManagedTransaction, user_id: UserId) -> list[Step]:
    """The person's latest steps, the strongest first, then the newest."""
    rows = tx.run(
        "MATCH (me:User {user_id: $user_id})"
        + SAME_PERSON
        + """
        MATCH (person)-[r:CLICKED|VIEWED|CARTED|FAVORITED|PURCHASED|REVIEWED|INQUIRED|SHARED]
              ->(seen:Item)
        WHERE NOT EXISTS {
            (seen)-[:IN_CATEGORY {rank: 0}]->(:Category)<-[:WITHOUT]-(:User {user_id: $user_id}) }
        WITH seen, r ORDER BY r.ts DESC LIMIT $recent
        WITH seen, type(r) AS type, $weights[type(r)] AS weight, max(r.ts) AS ts
        OPTIONAL MATCH (seen)-[:IN_CATEGORY {rank: 0}]->(c:Category)
        WITH seen.item_id AS item_id, type, weight, ts, c.path AS category
        RETURN item_id, type, weight, category ORDER BY weight DESC, ts DESC, item_id
        """,
        user_id=user_id,
        recent=RECENT,
        weights=WEIGHTS,
    )
    return [Step(*row.values()) for row in rows]


def _nearest(
    tx: ManagedTransaction,
    seen: Sequence[str],
    item_ids: Sequence[ItemId],
    by_item: Mapping[str, Step],
) -> dict[str, Step]:
    """For each of the items, the step whose neighbour it is; the strongest counts."""
    rows = tx.run(
        """
        UNWIND $seen AS seen_id
        MATCH (seen:Item {item_id: seen_id})-[near:SIMILAR_TO]->(target:Item)
        USING INDEX SEEK seen:Item(item_id)
        WHERE target.item_id IN $item_ids
        RETURN target.item_id AS target, seen_id, near.score AS score
        """,
        seen=list(seen),
        item_ids=list(item_ids),
    )
    best: dict[str, tuple[float, str]] = {}
    for target, seen_id, score in (row.values() for row in rows):
        rank = (by_item[seen_id].weight * score, seen_id)
        best[target] = max(best.get(target, rank), rank)
    return {target: by_item[seen_id] for target, (_, seen_id) in best.items()}


def _categories(tx: ManagedTransaction, item_ids: Sequence[ItemId]) -> dict[ItemId, str | None]:
    """The main category of each known item."""
    rows = tx.run(
        """
        UNWIND $item_ids AS item_id
        MATCH (i:Item {item_id: item_id})
        USING INDEX SEEK i:Item(item_id)
        OPTIONAL MATCH (i)-[:IN_CATEGORY {rank: 0}]->(c:Category)
        RETURN item_id, c.path AS category
        """,
        item_ids=list(item_ids),
    )
    return {ItemId(row["item_id"]): row["category"] for row in rows}

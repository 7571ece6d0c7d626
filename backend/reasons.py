"""Why a person gets an item, by their own steps; the graph says the same, more slowly."""

from collections.abc import Mapping, Sequence

from backend.serving import Loaded
from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ItemId
from graph.events import PastEvent
from graph.recommendations import RECENT, WEIGHTS, Reason, Step, strongest
from graph.shelf import ABSENT, OnShelf

Rows = Mapping[ItemId, OnShelf]


def reasons(
    history: Sequence[PastEvent], item_ids: Sequence[ItemId], rows: Rows, loaded: Loaded | None
) -> dict[ItemId, Reason]:
    """
    The strongest path from a person to each of the items; no path, no entry.

    Args:
        history: newest first; every step of it is an edge.
        rows: what is known of all these items, for their main categories.
    """
    return strongest(
        _steps(history, rows),
        {item_id: _category(item_id, rows) for item_id in item_ids},
        lambda by_item: _nearest(by_item, item_ids, loaded),
    )


def _steps(history: Sequence[PastEvent], rows: Rows) -> list[Step]:
    """The latest step of each kind with each item, the strongest first, then the newest."""
    latest: dict[tuple[str, str], int] = {}
    for event in history[:RECENT]:
        behaviour = ITEM_BEHAVIOURS.get(event.type)
        if behaviour is not None and behaviour.relationship in WEIGHTS:
            key = event.item_id, behaviour.relationship
            latest[key] = max(latest.get(key, event.ts), event.ts)
    ordered = sorted(latest, key=lambda key: (-WEIGHTS[key[1]], -latest[key], key[0]))
    return [
        Step(item_id, kind, WEIGHTS[kind], _category(ItemId(item_id), rows))
        for item_id, kind in ordered
    ]


def _nearest(
    by_item: Mapping[str, Step], wanted: Sequence[str], loaded: Loaded | None
) -> dict[str, Step]:
    """For each of the items, the step whose neighbour it is; the strongest counts."""
    if loaded is None:
        return {}
    best: dict[str, tuple[float, str]] = {}
    for item_id, other, cosine in loaded.model.links(list(by_item), wanted):
        rank = by_item[item_id].weight * cosine, item_id
        best[other] = max(best.get(other, rank), rank)
    return {other: by_item[item_id] for other, (_, item_id) in best.items()}


def _category(item_id: ItemId, rows: Rows) -> str | None:
    categories = rows.get(item_id, ABSENT).categories
    return categories[0] if categories else None

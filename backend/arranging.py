"""From the model's order to the shop's: boosts, variety, pins."""

from collections import Counter
from collections.abc import Mapping, Sequence

from backend.wishes import Boost, Pin, Scored, Wish
from graph.domain.ids import ItemId
from graph.shelf import ABSENT, OnShelf

SOFTENING = 10
"""With a factor f, the item at place p stands where (10 + p) / f - 10 would be."""

Rows = Mapping[ItemId, OnShelf]


def arrange(ranked: Scored, rows: Rows, wish: Wish) -> Scored:
    """
    The shop's order of a list that was ranked and may be shown.

    What is scored too low goes first, then boosts move items, then what there is too much of is
    left out, and pins have the last word.
    """
    least, kept = wish.min_score, ranked
    if least is not None:
        kept = [one for one in ranked if one[1] is not None and one[1] >= least]
    if wish.boosts:
        kept = _boosted(kept, rows, wish.boosts)
    if wish.most_per_category is not None or wish.most_per_brand is not None:
        kept = _varied(kept, rows, wish)
    return _pinned(kept, wish.pins) if wish.pins else kept


def _boosted(ranked: Scored, rows: Rows, boosts: Sequence[Boost]) -> Scored:
    """
    Each item's worth falls with its place as 1 / (10 + place), and factors multiply it.

    Scores of different models have different scales, also negative ones; places have not.
    """
    worth = {}
    for place, (item_id, _) in enumerate(ranked, start=1):
        factor = 1.0
        for boost in boosts:
            if boost.is_for(item_id, rows.get(item_id, ABSENT)):
                factor *= boost.factor
        worth[item_id] = factor / (SOFTENING + place)
    return sorted(ranked, key=lambda one: -worth[one[0]])


def _varied(ranked: Scored, rows: Rows, wish: Wish) -> Scored:
    categories, brands = Counter[str](), Counter[str]()
    kept: Scored = []
    for item_id, score in ranked:
        row = rows.get(item_id, ABSENT)
        category, brand = (row.categories[0] if row.categories else None), row.brand
        if _is_full(categories, category, wish.most_per_category):
            continue
        if _is_full(brands, brand, wish.most_per_brand):
            continue
        categories.update([category] if category is not None else [])
        brands.update([brand] if brand is not None else [])
        kept.append((item_id, score))
    return kept


def _is_full(counted: Counter[str], name: str | None, most: int | None) -> bool:
    return most is not None and name is not None and counted[name] >= most


def _pinned(ranked: Scored, pins: Sequence[Pin]) -> Scored:
    pinned = {pin.item_id for pin in pins}
    scores = dict(ranked)
    rest = [one for one in ranked if one[0] not in pinned]
    for pin in sorted(pins, key=lambda one: (one.position, one.item_id)):
        rest.insert(min(pin.position - 1, len(rest)), (pin.item_id, scores.get(pin.item_id)))
    return rest

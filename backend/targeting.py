"""Orders the people of a campaign by the chance that they buy what its coupons apply to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backend.serving import Columns, Loaded
from graph.candidates import Candidate
from graph.domain.campaigns import Campaign
from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import CouponId, ItemId

_SAMPLE = 100
_BEHAVIOUR_BY_CODE = {behaviour.code: kind.value for kind, behaviour in ITEM_BEHAVIOURS.items()}
_WEIGHT_BY_CODE = {behaviour.code: behaviour.weight for behaviour in ITEM_BEHAVIOURS.values()}


@dataclass(frozen=True, slots=True)
class Target:
    """
    A person and the coupon that fits best.

    Attributes:
        chance: that they buy at least one of the items they know that the coupon applies to;
            for somebody who knows none of them, that they buy the likeliest of a sample.
        best_item: the likeliest of those items.
        reason: how they know it: the behaviour, or ``similar_taste``.
    """

    candidate: Candidate
    coupon_id: CouponId
    chance: float
    best_item: ItemId
    reason: str


def most_people(campaign: Campaign) -> int | None:
    """How many people a campaign may reach at most, by head count and by money."""
    limits = [] if campaign.max_people is None else [campaign.max_people]
    if campaign.budget_minor is not None:
        # A budget without a cost cannot be kept, so it allows nobody.
        cost = campaign.cost_minor
        limits.append(campaign.budget_minor // cost if cost else 0)
    return min(limits, default=None)


def rank(
    candidates: Sequence[Candidate],
    coupon_items: dict[CouponId, list[ItemId]],
    loaded: Loaded | None,
    *,
    now_ms: int,
) -> list[Target]:
    """
    The people whose chance is known, best first; ties go by the pseudonym.

    People without a stored embedding, and everybody while there is no model, are left out.
    """
    if loaded is None:
        return []
    known = {
        coupon_id: [item_id for item_id in item_ids if item_id in loaded.known_items]
        for coupon_id, item_ids in coupon_items.items()
    }
    coupons = _Coupons(known)
    found = (_target(one, coupons, loaded, now_ms) for one in candidates)
    targets = [target for target in found if target is not None]
    return sorted(targets, key=lambda target: (-target.chance, target.candidate.user_id))


class _Coupons:
    """Which coupons an item belongs to, and a few items to ask about for people who know none."""

    def __init__(self, known: dict[CouponId, list[ItemId]]) -> None:
        self.by_item: dict[ItemId, list[CouponId]] = {}
        for coupon_id in sorted(known):
            for item_id in known[coupon_id]:
                self.by_item.setdefault(item_id, []).append(coupon_id)
        every = sorted(self.by_item)
        step = max(1, math.ceil(len(every) / _SAMPLE))
        self.sample = every[::step]


def _target(candidate: Candidate, coupons: _Coupons, loaded: Loaded, now_ms: int) -> Target | None:
    if candidate.embedding is None:
        return None
    touched = [row for row in candidate.touched_items if row[0] in coupons.by_item]
    asked = sorted({row[0] for row in touched}) or coupons.sample
    if not asked:
        return None
    history = Columns(
        [row[0] for row in touched],
        [row[1] for row in touched],
        [row[2] for row in touched],
        [None] * len(touched),
    )
    scores = loaded.model.score(candidate.embedding, history, now_ms=now_ms, items=asked)
    chances = {
        item_id: float(score)
        for item_id, score in zip(asked, scores, strict=True)
        if math.isfinite(score)
    }
    if not chances:
        return None
    coupon_id, chance = _best_coupon(chances, coupons, is_joint=bool(touched))
    best_item = _likeliest(
        {item: p for item, p in chances.items() if coupon_id in coupons.by_item[item]}
    )
    return Target(candidate, coupon_id, chance, best_item, _reason(touched, best_item))


def _best_coupon(
    chances: dict[ItemId, float], coupons: _Coupons, *, is_joint: bool
) -> tuple[CouponId, float]:
    none_of_them: dict[CouponId, float] = {}
    for item_id, chance in chances.items():
        for coupon_id in coupons.by_item[item_id]:
            before = none_of_them.get(coupon_id, 1.0)
            # Of a sample the best one counts: all of them together would promise too much.
            left = before * (1.0 - chance) if is_joint else min(before, 1.0 - chance)
            none_of_them[coupon_id] = left
    best = min(none_of_them, key=lambda coupon_id: (none_of_them[coupon_id], coupon_id))
    return best, 1.0 - none_of_them[best]


def _likeliest(chances: dict[ItemId, float]) -> ItemId:
    return min(chances, key=lambda item_id: (-chances[item_id], item_id))


def _reason(touched: Sequence[tuple[ItemId, int, int]], item_id: ItemId) -> str:
    codes = [code for item, code, _ in touched if item == item_id]
    if not codes:
        return "similar_taste"
    strongest = max(codes, key=lambda code: (_WEIGHT_BY_CODE.get(code, 0.0), code))
    return f"{_BEHAVIOUR_BY_CODE.get(strongest, 'touch')}_before"

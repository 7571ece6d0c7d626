"""Puts a list together: best first, nothing twice, nothing that must not be shown."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from backend.metrics import metrics
from backend.people import Shopper, reference_ms
from backend.serving import Columns, Loaded, ids
from backend.wiring import parts
from graph.domain.ids import ItemId, UserId
from graph.errors import GraphUnavailable
from graph.recommendations import Reason
from workers.intake.changes import Stamp

Scored = list[tuple[str, float]]

_SPARE = 20
_TRIES = 4


class Level(StrEnum):
    """What served a list."""

    PERSONAL = "personal"
    SESSION = "session"
    SIMILAR = "similar"
    POPULAR = "popular"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    What a list must be like.

    Attributes:
        exclude: items that must not be in it.
        category: only items of this one, if it is said.
        user_id: for whom reasons are looked up, if for anybody.
        stamp: how far the shop had come when it was asked.
    """

    limit: int
    exclude: frozenset[str] = frozenset()
    category: str | None = None
    user_id: UserId | None = None
    stamp: Stamp | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """
    A list, and how it came about.

    Attributes:
        rendered: the places as JSON, once they have been written out.
    """

    level: Level
    items: list[tuple[ItemId, float]] = field(default_factory=list)
    reasons: dict[ItemId, Reason] = field(default_factory=dict)
    is_degraded: bool = False
    rendered: orjson.Fragment | None = None


def for_shopper(shopper: Shopper, loaded: Loaded | None, wish: Wish) -> Served:
    """The best list for a person: their own, else of the session, else what strangers get."""
    if loaded is not None and shopper.history and shopper.vector is not None:
        served = _from_model(loaded, _personal(shopper, loaded), wish, Level.PERSONAL)
    elif loaded is not None and any(
        event.item_id in loaded.known_items for event in shopper.history
    ):
        served = _from_model(loaded, _session(shopper, loaded), wish, Level.SESSION)
    else:
        served = Served(level=Level.NONE)
    if loaded is not None and not served.items:
        served = _from_model(loaded, loaded.model.newcomers(wish.category), wish, Level.POPULAR)
    if not served.items:
        served = popular(loaded, wish)
    return _marked(served, shopper.is_degraded)


def popular(loaded: Loaded | None, wish: Wish) -> Served:
    """What everybody likes; from the graph's own counts while there is no model."""
    served = Served(level=Level.NONE)
    if loaded is not None:
        served = _from_model(loaded, loaded.model.popular(wish.category), wish, Level.POPULAR)
    if not served.items:
        counted, is_away = parts().counted.top(wish.category)
        served = _marked(pick(lambda depth: counted[:depth], wish, Level.POPULAR), is_away)
    return served


def similar(loaded: Loaded | None, item_id: ItemId, wish: Wish) -> Served:
    """The nearest items to one; popular ones when nothing is known of it."""
    if loaded is not None and item_id in loaded.known_items:
        model = loaded.model
        served = pick(lambda depth: model.similar(item_id, depth), wish, Level.SIMILAR)
        if served.items:
            return served
    return popular(loaded, wish)


def pick(ranked: Callable[[int], Scored], wish: Wish, level: Level) -> Served:
    """
    The first items of a ranking that may be shown.

    The ranking is asked deeper, a few times, where many of its best must not be shown; the last
    word on every item is the graph's, in the very moment of the answer.
    """
    depth = wish.limit + _SPARE + len(wish.exclude)
    for _ in range(_TRIES):
        scored = ranked(depth)
        candidates = _usable(scored, wish)
        served = _shown(candidates, wish, level)
        if len(served.items) >= wish.limit or len(scored) < depth:
            break
        depth *= 4
    return served


def _from_model(loaded: Loaded, scores: object, wish: Wish, level: Level) -> Served:
    barred = wish.exclude | (parts().shelf.barred(wish.stamp) & loaded.known_items)
    if wish.category is not None and level is not Level.POPULAR:
        barred |= loaded.outside(wish.category)
    return pick(lambda depth: loaded.model.top(scores, depth, barred), wish, level)


def _personal(shopper: Shopper, loaded: Loaded) -> object:
    return loaded.model.score(
        shopper.vector,
        Columns.of(shopper.history),
        now_ms=reference_ms(loaded, shopper.history),
    )


def _session(shopper: Shopper, loaded: Loaded) -> object:
    return loaded.model.session(Columns.of(shopper.history), reference_ms(loaded, shopper.history))


def _usable(scored: Scored, wish: Wish) -> Scored:
    seen: set[str] = set()
    usable: Scored = []
    for item_id, score in scored:
        if not math.isfinite(score):
            metrics().dropped_items.inc()
        elif item_id not in seen and item_id not in wish.exclude:
            seen.add(item_id)
            usable.append((item_id, float(score)))
    return usable


def _shown(candidates: Scored, wish: Wish, level: Level) -> Served:
    shelf = parts().shelf
    is_degraded = False
    try:
        seen = shelf.look(
            ids(candidates),
            limit=wish.limit,
            user_id=wish.user_id,
            category=wish.category,
            stamp=wish.stamp,
        )
    except GraphUnavailable:
        seen = shelf.from_memory(ids(candidates), limit=wish.limit)
        is_degraded = True
    scores = dict(candidates)
    return Served(
        level=level if seen.allowed else Level.NONE,
        items=[(item_id, scores[item_id]) for item_id in seen.allowed],
        reasons=seen.reasons,
        is_degraded=is_degraded,
    )


def _marked(served: Served, is_degraded: bool) -> Served:
    if not is_degraded or served.is_degraded:
        return served
    return Served(level=served.level, items=served.items, reasons=served.reasons, is_degraded=True)

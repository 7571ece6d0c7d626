"""Puts a list together: best first, nothing twice, nothing that must not be shown."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import orjson

from backend.arranging import arrange
from backend.metrics import metrics
from backend.people import Shopper, reference_ms
from backend.reasons import reasons
from backend.serving import Columns, Loaded
from backend.wiring import graph, parts
from backend.wishes import DEPTH, Scored, Wish
from graph import trends
from graph.domain.ids import ItemId, UserId
from graph.errors import GraphUnavailable
from graph.recommendations import Reason

Ranked = list[tuple[str, float]]

_SPARE = 20
_TRIES = 4


class Level(StrEnum):
    """What served a list."""

    PERSONAL = "personal"
    SESSION = "session"
    SIMILAR = "similar"
    ALSO_BOUGHT = "also_bought"
    POPULAR = "popular"
    TRENDING = "trending"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """
    A list, and how it came about.

    Attributes:
        items: all that was ranked, of which the first places are shown.
        rendered: the shown places as JSON, once they have been written out.
        page: where the rest is kept, once it is.
        owner: whose paths the reasons are, where each is to come with a query that shows it.
    """

    level: Level
    items: Scored = field(default_factory=list)
    reasons: dict[ItemId, Reason] = field(default_factory=dict)
    is_degraded: bool = False
    rendered: orjson.Fragment | None = None
    page: str | None = None
    owner: UserId | None = None


def for_shopper(shopper: Shopper, loaded: Loaded | None, wish: Wish) -> Served:
    """The best list for a person: their own, else of the session, else what strangers get."""
    wish = _without_done(wish, shopper)
    if loaded is not None and shopper.steps and shopper.vector is not None:
        among = _among(loaded, wish)
        scores = _personal(shopper, loaded, wish, among)
        served = _picked(loaded, scores, wish, Level.PERSONAL, among)
    elif loaded is not None and any(event.item_id in loaded.known_items for event in shopper.steps):
        scores = _session(shopper, loaded)
        served = _picked(loaded, scores, wish, Level.SESSION, _among(loaded, wish))
    else:
        served = Served(level=Level.NONE)
    if loaded is not None and not served.items:
        served = _for_anybody(loaded, loaded.model.newcomers, wish)
    if not served.items:
        served = popular(loaded, wish)
    return _explained(_marked(served, shopper.is_degraded), shopper, loaded, wish)


def popular(loaded: Loaded | None, wish: Wish) -> Served:
    """What everybody likes; from the graph's own counts while there is no model."""
    served = Served(level=Level.NONE)
    if loaded is not None:
        served = _for_anybody(loaded, loaded.model.popular, wish)
    if not served.items:
        served = popular_since(wish)
    return served


def popular_since(wish: Wish, *, window_ms: int | None = None) -> Served:
    """What everybody likes by the graph's count of the last time."""
    counted, is_away = parts().counted.top(wish.category, window_ms=window_ms)
    return _marked(pick(lambda depth: counted[:depth], wish, Level.POPULAR), is_away)


def trending(loaded: Loaded | None, wish: Wish, *, window_ms: int) -> Served:
    """What has risen most; popular where nothing has."""
    as_of_ms = loaded.model.as_of_ms if loaded else None
    risen, is_away = parts().counted.trending(wish.category, window_ms=window_ms, old_ms=as_of_ms)
    served = pick(lambda depth: risen[:depth], wish, Level.TRENDING)
    return _marked(served if served.items else popular(loaded, wish), is_away)


def also_bought(loaded: Loaded | None, item_id: ItemId, wish: Wish, *, within_ms: int) -> Served:
    """What was bought with an item; similar ones where nobody did."""
    try:
        found: Ranked = [*graph().read(trends.also_bought, item_id, within_ms=within_ms, limit=500)]
        is_away = False
    except GraphUnavailable:
        found, is_away = [], True
    served = pick(lambda depth: found[:depth], wish, Level.ALSO_BOUGHT)
    return _marked(served if served.items else similar(loaded, item_id, wish), is_away)


def similar(loaded: Loaded | None, item_id: ItemId, wish: Wish) -> Served:
    """The nearest items to one; popular ones when nothing is known of it."""
    if loaded is not None and item_id in loaded.known_items:
        model = loaded.model
        served = pick(lambda depth: model.similar(item_id, depth), wish, Level.SIMILAR)
        if served.items:
            return served
    return popular(loaded, wish)


def pick(ranked: Callable[[int], Ranked], wish: Wish, level: Level) -> Served:
    """
    The first items of a ranking that may be shown, in the order that the shop wants.

    The ranking is asked deeper, a few times, where many of its best must not be shown; the last
    word on every item is the shop's, in the very moment of the answer.
    """
    depth = DEPTH + _SPARE + len(wish.exclude)
    for _ in range(_TRIES):
        scored = ranked(depth)
        served = _shown(_usable(scored, wish), wish, level)
        if len(served.items) >= DEPTH or len(scored) < depth:
            break
        depth *= 4
    return served


def _explained(served: Served, shopper: Shopper, loaded: Loaded | None, wish: Wish) -> Served:
    """With the person's own paths to the items that are shown."""
    if not shopper.history:
        return served
    shown = [item_id for item_id, _ in served.items[: wish.limit]]
    found = reasons(shopper.history, shown, parts().shelf.rows, loaded)
    return replace(served, reasons=found)


def _without_done(wish: Wish, shopper: Shopper) -> Wish:
    behaviours = parts().settings.excluded_behaviours if wish.done is None else wish.done
    done = {event.item_id for event in shopper.steps if event.type in behaviours}
    return replace(wish, exclude=wish.exclude | done) if done else wish


def _for_anybody(loaded: Loaded, scores: Callable[[str | None], Any], wish: Wish) -> Served:
    """A list that is nobody's own; where the shelf cannot, the model says what is in a category."""
    among = _among(loaded, wish)
    category = wish.category if among is None else None
    return _picked(loaded, scores(category), wish, Level.POPULAR, among)


def _picked(loaded: Loaded, scores: object, wish: Wish, level: Level, among: Any) -> Served:
    barred = wish.exclude | (parts().shelf.barred(wish.stamp) & loaded.known_items)
    return pick(lambda depth: loaded.model.top(scores, depth, barred, among), wish, level)


def _among(loaded: Loaded, wish: Wish) -> Any:
    """The items that come into question, as the model wants them; ``None``: all of them."""
    if wish.candidates:
        return loaded.model.only(wish.candidates)
    if wish.only.is_open:
        return None
    fitting = parts().shelf.fitting(wish.only, wish.stamp)
    return None if fitting is None else loaded.mask(fitting)


def _personal(shopper: Shopper, loaded: Loaded, wish: Wish, among: Any) -> object:
    # A list of some corner of the shop may need what is on nobody's shortlist.
    is_narrow = not wish.only.is_open or len(wish.exclude) > DEPTH
    return loaded.model.score(
        shopper.vector,
        Columns.of(shopper.steps),
        now_ms=reference_ms(loaded, shopper.steps),
        among=among,
        is_short=not is_narrow,
    )


def _session(shopper: Shopper, loaded: Loaded) -> object:
    return loaded.model.session(Columns.of(shopper.steps), reference_ms(loaded, shopper.steps))


def _usable(scored: Ranked, wish: Wish) -> Scored:
    """Each item once, with a finite score; then what is wanted without one."""
    wanted, barred, first = set(wish.candidates), wish.exclude, dict[str, float]()
    for item_id, score in scored:
        if not math.isfinite(score):
            metrics().dropped_items.inc()
        elif item_id not in barred and (not wanted or item_id in wanted):
            first.setdefault(item_id, score)
    usable: Scored = [(ItemId(item_id), score) for item_id, score in first.items()]
    for item_id in (*wish.candidates, *(pin.item_id for pin in wish.pins)):
        if item_id not in barred and item_id not in first:
            first[item_id] = math.nan
            usable.append((item_id, None))
    return usable


def _shown(candidates: Scored, wish: Wish, level: Level) -> Served:
    shelf, wanted = parts().shelf, [item_id for item_id, _ in candidates]
    is_degraded = False
    try:
        seen = shelf.look(wanted, limit=len(wanted), only=wish.only, stamp=wish.stamp)
    except GraphUnavailable:
        seen = shelf.from_memory(wanted, limit=len(wanted), only=wish.only)
        is_degraded = True
    allowed, sent = set(seen.allowed), set(wish.candidates)
    if wish.pins:
        wish = wish.having(pins=tuple(pin for pin in wish.pins if pin.item_id in allowed))
    ranked = [
        (item_id, score)
        for item_id, score in candidates
        if item_id in allowed and (score is not None or item_id in sent)
    ]
    items = arrange(ranked, seen.rows, wish)[:DEPTH]
    return Served(level=level if items else Level.NONE, items=items, is_degraded=is_degraded)


def _marked(served: Served, is_degraded: bool) -> Served:
    return replace(served, is_degraded=True) if is_degraded else served

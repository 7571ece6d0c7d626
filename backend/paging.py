"""The pages after the first: of the list that was ranked then, with what may be shown now."""

import re
from dataclasses import replace
from typing import Any

from backend.errors import Invalid, WebError
from backend.lists import places_of, whole
from backend.people import glance
from backend.ranking import Level, Served
from backend.wiring import graph, parts
from graph import recommendations
from graph.domain.ids import ItemId, UserId
from graph.errors import GraphUnavailable
from workers.intake.pages import Listed

_TOKEN = re.compile(r"([0-9a-f]{32})\.([0-9]{1,4})\.([0-9]{1,4})")


class PageExpired(WebError):
    """The list is not kept any more."""

    status, code = 410, "page_expired"


def go_on(token: str, limit: int) -> dict[str, Any]:
    """
    The next places of a list: nothing that was shown, nothing left out that may be shown.

    Raises:
        Invalid: no token of ours.
        PageExpired: the list is not kept any more, or its person wants none of their own now.
        StreamUnavailable: Valkey is away, and the list with it.
    """
    name, start, shown = _read(token)
    listed = parts().pages.find(name)
    if listed is None or start >= len(listed.items) or _is_barred(listed):
        raise PageExpired("this list has expired; ask for a new one", field="next")
    served, end = _rest(listed, start, limit)
    places = places_of(served, limit, before=shown)
    is_over = end >= len(listed.items)
    return whole(
        served,
        places,
        version=listed.model_version,
        following=None if is_over else f"{name}.{end}.{shown + len(places)}",
    )


def _read(token: str) -> tuple[str, int, int]:
    """Name of the list, where to go on in it, and how many places were shown."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise Invalid("this is not the next of an answer", field="next", code="invalid_token")
    name, start, shown = found.groups()
    return name, int(start), int(shown)


def _is_barred(listed: Listed) -> bool:
    if listed.user_id is None:
        return False
    recent = glance(UserId(listed.user_id)).recent
    return recent is not None and recent.is_denied


def _rest(listed: Listed, start: int, limit: int) -> tuple[Served, int]:
    """What may be shown now of the list from ``start`` on, and where the page ends in it."""
    items = [(ItemId(item_id), score) for item_id, score in listed.items]
    wanted, shelf = [item_id for item_id, _ in items[start:]], parts().shelf
    is_degraded = False
    try:
        allowed = shelf.look(wanted, limit=limit).allowed
    except GraphUnavailable:
        allowed, is_degraded = shelf.from_memory(wanted, limit=limit).allowed, True
    scores = dict(items)
    end = start + wanted.index(allowed[-1]) + 1 if allowed else len(items)
    served = Served(
        level=Level(listed.level),
        items=[(item_id, scores[item_id]) for item_id in allowed],
        is_degraded=is_degraded,
    )
    return _explained(served, listed, allowed), end


def _explained(served: Served, listed: Listed, shown: list[ItemId]) -> Served:
    if listed.user_id is None or not shown:
        return served
    try:
        found = graph().read(recommendations.reasons, UserId(listed.user_id), shown)
    except GraphUnavailable:
        return replace(served, is_degraded=True)
    return replace(served, reasons=found)

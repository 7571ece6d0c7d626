"""Reads a person's data for the API and the command line, and writes down that it was read."""

from collections.abc import Callable, Iterator
from typing import Any

from graph import audit, person_data
from graph.domain.ids import UserId
from workers.intake.errors import RefUnreadable
from workers.intake.pseudonyms import Pseudonyms
from workers.privacy.person_data import lines


def export(
    read: Callable[..., Any],
    write: Callable[..., Any],
    pseudonyms: Pseudonyms,
    person: UserId,
    *,
    raw_id: str,
    by: str,
    now_ms: int,
) -> Iterator[dict[str, Any]]:
    """
    All that is keyed to a person, as lines.

    Args:
        read, write: of the graph.
        raw_id: the shop's own id that was asked for.
        by: name of the key or the command that asks.
    """
    data = read(person_data.read, person)
    entry = audit.Entry(at=now_ms, act=audit.Act.PERSON_EXPORT, by=by, about=person)
    write(audit.note, entry)
    raw_ids = {person: raw_id}
    for profile in data.profiles:
        raw = _raw(profile.pop("ref", None), pseudonyms)
        if raw is not None:
            raw_ids[UserId(profile["user_id"])] = raw
    return lines(data, raw_ids)


def _raw(ref: str | None, pseudonyms: Pseudonyms) -> str | None:
    try:
        return None if ref is None else pseudonyms.reveal(ref)
    except RefUnreadable:
        return None

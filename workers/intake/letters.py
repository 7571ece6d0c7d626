"""Dead letters: what is kept of a row or a fact that could not be stored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from graph.domain.events import Event
from workers.intake.codec import decode, encode
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Checked, RowResult, Status
from workers.intake.sealing import sealed

NEVER_KEPT = frozenset({"no_consent", "erased"})
"""Rows that are refused for these are gone: keeping them is what was denied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """
    One row, or one fact, that was put aside.

    Attributes:
        stage: ``door`` (a raw row, its ids sealed), ``graph`` (a checked event) or ``stream``
            (an entry nobody could read).
        reason: a stable code.
        payload: JSON text.
        payload_hash: tells repeats; keyed, where the payload held raw ids.
        person: pseudonym, where one is known.
        source: of a raw row that names none; a replay must come from the same.
        letter_id: given when it is stored.
        edited_ms: when the payload was mended, milliseconds UTC.
    """

    stage: str
    reason: str
    payload: str
    payload_hash: str
    at_ms: int
    person: str | None = None
    source: str = ""
    letter_id: str = ""
    edited_ms: int | None = None

    @property
    def is_edited(self) -> bool:
        """Whether the payload is another than the one that came."""
        return self.edited_ms is not None


def of_row(checked: Checked, result: RowResult, pseudonyms: Pseudonyms) -> DeadLetter:
    """
    A letter for a raw row that the door did not take.

    Ids of people are sealed, and so is whatever the schema does not know. A row that is no object
    leaves only its hash.
    """
    raw = checked.raw[result.index]
    is_object = isinstance(raw, Mapping)
    is_looked_at = result.status is not Status.REJECTED
    row = sealed(raw, pseudonyms, is_looked_at=is_looked_at) if is_object else {}
    payload = json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace").decode()
    told = payload if is_object else repr(raw)
    reason = "conflict" if result.status is Status.CONFLICT else result.code or "quarantined"
    return DeadLetter(
        stage="door",
        reason=reason,
        payload=payload,
        payload_hash=blake2b(
            told.encode("utf-8", "replace"), digest_size=16, key=pseudonyms.fingerprint_key
        ).hexdigest(),
        at_ms=checked.received_ms,
        person=_person(raw, pseudonyms) if is_object else None,
        source=checked.source,
    )


def _person(raw: Mapping[str, Any], pseudonyms: Pseudonyms) -> str | None:
    user, visitor = raw.get("user_id"), raw.get("anonymous_id")
    try:
        if isinstance(user, str):
            return pseudonyms.customer(user)[0]
        return pseudonyms.visitor(visitor) if isinstance(visitor, str) else None
    except UnicodeEncodeError:
        return None


def of_event(event: Event, reason: str, at_ms: int) -> DeadLetter:
    """A letter for a checked event that the graph did not take."""
    payload = encode([event])
    return DeadLetter(
        stage="graph",
        reason=reason,
        payload=payload.decode(),
        payload_hash=_hash(payload),
        at_ms=at_ms,
        person=event.user_id,
    )


def of_entry(payload: bytes, at_ms: int) -> DeadLetter:
    """A letter for an entry of the stream that cannot be read."""
    return DeadLetter(
        stage="stream",
        reason="unreadable",
        payload=payload.decode("utf-8", "backslashreplace"),
        payload_hash=_hash(payload),
        at_ms=at_ms,
    )


def event_of(letter: DeadLetter) -> Event:
    """The checked event of a letter from the graph."""
    return decode(letter.payload.encode())[0]


def _hash(payload: bytes) -> str:
    return blake2b(payload, digest_size=16).hexdigest()

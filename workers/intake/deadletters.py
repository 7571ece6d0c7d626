"""Rows that could not be stored: kept with the reason, to be looked at, mended and sent again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from graph.domain.events import Event
from workers.intake.codec import decode, encode
from workers.intake.errors import UnknownDeadLetter
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import RowResult, Status
from workers.intake.valkey import connect, ours

DEAD_LETTERS = "shopgraph:deadletters"
RETENTION_MS = 30 * 86_400_000
_SEALED = ("user_id", "anonymous_id", "device_id")


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
        letter_id: given when it is stored.
    """

    stage: str
    reason: str
    payload: str
    payload_hash: str
    at_ms: int
    person: str | None = None
    letter_id: str = ""


class DeadLetters:
    """The store of dead letters; the oldest go after 30 days."""

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Store letters; raises ``StreamUnavailable`` when none was stored."""
        with ours(), self._client.pipeline(transaction=True) as pipe:
            for letter in letters:
                fields = {
                    "stage": letter.stage,
                    "reason": letter.reason,
                    "payload": letter.payload,
                    "hash": letter.payload_hash,
                    "at": str(letter.at_ms),
                    "person": letter.person or "",
                }
                pipe.xadd(DEAD_LETTERS, fields)
            pipe.xtrim(DEAD_LETTERS, minid=str(letters[-1].at_ms - RETENTION_MS))
            pipe.execute()

    def newest(self, limit: int = 50) -> list[DeadLetter]:
        """The latest letters, newest first."""
        with ours():
            entries = self._client.xrevrange(DEAD_LETTERS, count=limit)
        return [_letter(entry_id, fields) for entry_id, fields in entries]

    def every(self, page: int = 500) -> Iterator[DeadLetter]:
        """All letters, oldest first."""
        after = "-"
        while True:
            with ours():
                entries = self._client.xrange(DEAD_LETTERS, min=after, count=page)
            if not entries:
                return
            for entry_id, fields in entries:
                yield _letter(entry_id, fields)
            after = "(" + entries[-1][0].decode()

    def get(self, letter_id: str) -> DeadLetter:
        """
        One letter.

        Raises:
            UnknownDeadLetter: there is none of that id.
        """
        with ours():
            entries = self._client.xrange(DEAD_LETTERS, min=letter_id, max=letter_id)
        if not entries:
            raise UnknownDeadLetter(letter_id)
        return _letter(*entries[0])

    def remove(self, letter_ids: Sequence[str]) -> int:
        """Forget letters; says how many there were."""
        if not letter_ids:
            return 0
        with ours():
            return int(self._client.xdel(DEAD_LETTERS, *letter_ids))

    def depth(self) -> int:
        """How many letters wait."""
        with ours():
            return int(self._client.xlen(DEAD_LETTERS))


def of_quarantined(
    raw: Mapping[str, Any], result: RowResult, pseudonyms: Pseudonyms, at_ms: int
) -> DeadLetter:
    """A letter for a raw row that the door put aside; ids of people are sealed."""
    row = {
        name: {"sealed": pseudonyms.seal(value)}
        if name in _SEALED and isinstance(value, str)
        else value
        for name, value in raw.items()
    }
    user, visitor = raw.get("user_id"), raw.get("anonymous_id")
    person: str | None = None
    if isinstance(user, str):
        person = pseudonyms.customer(user)[0]
    elif isinstance(visitor, str):
        person = pseudonyms.visitor(visitor)
    payload = json.dumps(row, ensure_ascii=False, default=str)
    reason = "conflict" if result.status is Status.CONFLICT else result.code or "quarantined"
    return DeadLetter(
        stage="door",
        reason=reason,
        payload=payload,
        payload_hash=_hash(payload.encode()),
        at_ms=at_ms,
        person=person,
    )


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


def raw_row(letter: DeadLetter, pseudonyms: Pseudonyms) -> dict[str, Any]:
    """The raw row of a letter from the door, its ids as they came."""
    row = orjson.loads(letter.payload)
    for name in _SEALED:
        if isinstance(row.get(name), dict):
            row[name] = pseudonyms.reveal(row[name]["sealed"])
    return dict(row)


def event_of(letter: DeadLetter) -> Event:
    """The checked event of a letter from the graph."""
    return decode(letter.payload.encode())[0]


def _hash(payload: bytes) -> str:
    return blake2b(payload, digest_size=16).hexdigest()


def _letter(entry_id: bytes, fields: Mapping[bytes, bytes]) -> DeadLetter:
    return DeadLetter(
        letter_id=entry_id.decode(),
        stage=fields[b"stage"].decode(),
        reason=fields[b"reason"].decode(),
        payload=fields[b"payload"].decode(),
        payload_hash=fields[b"hash"].decode(),
        at_ms=int(fields[b"at"]),
        person=fields[b"person"].decode() or None,
    )

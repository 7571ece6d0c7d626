"""Rows that could not be stored: kept with the reason, to be looked at, mended and sent again."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from typing import Any

import orjson

from graph.domain.events import Event
from workers.intake.codec import decode, encode
from workers.intake.errors import UnknownDeadLetter
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Checked, RowResult, Status
from workers.intake.schema import EventBase
from workers.intake.valkey import connect, ours

DEAD_LETTERS = "shopgraph:deadletters"
EDITED = "shopgraph:deadletters:edited"
DROPPED = "shopgraph:deadletters:dropped"
NEVER_KEPT = frozenset({"no_consent", "erased"})
"""Rows that are refused for these are gone: keeping them is what was denied."""

_DAY_MS = 86_400_000
_SEALED = ("user_id", "anonymous_id", "device_id")
_KNOWN = frozenset(EventBase.model_fields)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How many letters are kept, and for how long; the oldest go first."""

    most: int = 100_000
    days: int = 30


DEFAULT_KEEPING = Keeping()


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
        is_edited: the payload was mended since.
    """

    stage: str
    reason: str
    payload: str
    payload_hash: str
    at_ms: int
    person: str | None = None
    source: str = ""
    letter_id: str = ""
    is_edited: bool = False


class DeadLetters:
    """The store of dead letters; bounded, and what is dropped unseen is counted."""

    def __init__(self, redis_url: str, keeping: Keeping = DEFAULT_KEEPING) -> None:
        self._client = connect(redis_url)
        self._keeping = keeping

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
                    "source": letter.source,
                }
                pipe.xadd(DEAD_LETTERS, fields)
            pipe.xtrim(DEAD_LETTERS, minid=str(letters[-1].at_ms - self._keeping.days * _DAY_MS))
            pipe.xtrim(DEAD_LETTERS, maxlen=self._keeping.most, approximate=False)
            dropped = pipe.execute()[-1]
            if dropped:
                self._client.incrby(DROPPED, dropped)

    def newest(
        self, limit: int = 50, *, before: str | None = None, reason: str | None = None
    ) -> list[DeadLetter]:
        """
        The latest letters, newest first.

        Args:
            before: only those older than the letter of this id.
            reason: only those with this code.

        Raises:
            UnknownDeadLetter: ``before`` is no id of a letter.
        """
        found: list[DeadLetter] = []
        upto = "+" if before is None else f"({_checked(before)}"
        while len(found) < limit:
            with ours():
                entries = self._client.xrevrange(DEAD_LETTERS, max=upto, count=max(limit, 100))
            if not entries:
                break
            found += (
                letter
                for letter in self._letters(entries)
                if reason is None or letter.reason == reason
            )
            upto = f"({entries[-1][0].decode()}"
        return found[:limit]

    def counts(self) -> dict[str, int]:
        """How many letters there are, by reason."""
        return dict(Counter(letter.reason for letter in self.every()))

    def dropped(self) -> int:
        """How many letters made room for newer ones."""
        with ours():
            return int(self._client.get(DROPPED) or 0)

    def save(self, letter_id: str, payload: str) -> DeadLetter:
        """
        Put a mended payload in place of a letter's own.

        Raises:
            UnknownDeadLetter: there is none of that id.
            ValueError: the payload is no JSON object, or the letter cannot be mended.
        """
        letter = self.get(letter_id)
        if letter.stage != "door":
            raise ValueError("only a raw row can be mended")
        if not isinstance(orjson.loads(payload), dict):
            raise ValueError("the payload must be one JSON object")
        with ours():
            self._client.hset(EDITED, letter.letter_id, payload)
        return replace(letter, payload=payload, is_edited=True)

    def every(self, page: int = 500) -> Iterator[DeadLetter]:
        """All letters, oldest first."""
        after = "-"
        while True:
            with ours():
                entries = self._client.xrange(DEAD_LETTERS, min=after, count=page)
            if not entries:
                return
            yield from self._letters(entries)
            after = "(" + entries[-1][0].decode()

    def oldest(self, limit: int) -> list[DeadLetter]:
        """The letters that wait longest."""
        return list(islice(self.every(), limit))

    def get(self, letter_id: str) -> DeadLetter:
        """
        One letter.

        Raises:
            UnknownDeadLetter: there is none of that id.
        """
        with ours():
            place = _checked(letter_id)
            entries = self._client.xrange(DEAD_LETTERS, min=place, max=place)
        if not entries:
            raise UnknownDeadLetter(letter_id)
        return self._letters(entries)[0]

    def remove(self, letter_ids: Sequence[str]) -> int:
        """Forget letters; says how many there were."""
        if not letter_ids:
            return 0
        with ours(), self._client.pipeline(transaction=True) as pipe:
            pipe.xdel(DEAD_LETTERS, *map(_checked, letter_ids))
            pipe.hdel(EDITED, *letter_ids)
            return int(pipe.execute()[0])

    def depth(self) -> int:
        """How many letters wait."""
        with ours():
            return int(self._client.xlen(DEAD_LETTERS))

    def _letters(self, entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[DeadLetter]:
        with ours():
            edited = self._client.hmget(EDITED, [entry_id for entry_id, _ in entries])
        letters = [_letter(entry_id, fields) for entry_id, fields in entries]
        return [
            letter if text is None else replace(letter, payload=text.decode(), is_edited=True)
            for letter, text in zip(letters, edited, strict=True)
        ]


def of_row(checked: Checked, result: RowResult, pseudonyms: Pseudonyms) -> DeadLetter:
    """
    A letter for a raw row that the door did not take.

    Ids of people are sealed, and so is whatever the schema does not know. A row that is no object
    leaves only its hash.
    """
    raw = checked.raw[result.index]
    is_object = isinstance(raw, Mapping)
    # Attributes of a refused row were not looked at, and may hold a phone number.
    doubtful = {"attributes"} if result.status is Status.REJECTED else set()
    row = _sealed(raw, pseudonyms, doubtful) if is_object else {}
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


def _sealed(raw: Mapping[str, Any], pseudonyms: Pseudonyms, doubtful: set[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in raw.items():
        if value is None or (name in _KNOWN and name not in _SEALED and name not in doubtful):
            row[name] = value
            continue
        is_text = isinstance(value, str)
        text = value if is_text else json.dumps(value, default=str)
        sealed = pseudonyms.seal(text.encode("utf-8", "replace").decode())
        row[name] = {"sealed": sealed} if is_text else {"sealed_json": sealed}
    return row


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


def raw_row(letter: DeadLetter, pseudonyms: Pseudonyms) -> dict[str, Any]:
    """The raw row of a letter from the door, everything sealed as it came."""
    row = orjson.loads(letter.payload)
    for name, value in row.items():
        if isinstance(value, dict) and value.keys() == {"sealed"}:
            row[name] = pseudonyms.reveal(value["sealed"])
        elif isinstance(value, dict) and value.keys() == {"sealed_json"}:
            row[name] = orjson.loads(pseudonyms.reveal(value["sealed_json"]))
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
        source=fields.get(b"source", b"").decode(),
    )


def _checked(letter_id: str) -> str:
    if _ID.fullmatch(letter_id) is None:
        raise UnknownDeadLetter(letter_id)
    return letter_id


_ID = re.compile(r"\d{1,19}-\d{1,19}", re.ASCII)

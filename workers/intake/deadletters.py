"""Rows that could not be stored: kept with the reason, to be looked at, mended and sent again."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import orjson

from workers.intake.errors import UnknownDeadLetter
from workers.intake.letters import DeadLetter
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.sealing import sealed_again
from workers.intake.valkey import connect, ours

DEAD_LETTERS = "shopgraph:deadletters"
EDITED = "shopgraph:deadletters:edited"
DROPPED = "shopgraph:deadletters:dropped"

_DAY_MS = 86_400_000
_SAVE = """
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f ', at) .. ARGV[2])
return string.format('%.0f', at)
"""
"""In one step, so that nothing is left behind of a letter that goes meanwhile."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How many letters are kept, and for how long; the oldest go first."""

    most: int = 100_000
    days: int = 30


DEFAULT_KEEPING = Keeping()


class DeadLetters:
    """The store of dead letters; bounded, and what is dropped unseen is counted."""

    def __init__(
        self,
        redis_url: str,
        keeping: Keeping | None = None,
        *,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        """
        Args:
            keeping: how much is kept; without it nothing is ever dropped from here.
            pseudonyms: seals what is put into mended rows; without it no raw id is taken.
        """
        self._client = connect(redis_url)
        self._keeping = keeping
        self._pseudonyms = pseudonyms
        self._save = self._client.register_script(_SAVE)

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
            pipe.execute()
        self.trim(letters[-1].at_ms)

    def trim(self, now_ms: int) -> int:
        """Forget letters that are too old or too many; says how many."""
        if self._keeping is None:
            return 0
        with ours(), self._client.pipeline(transaction=True) as pipe:
            pipe.xtrim(DEAD_LETTERS, minid=now_ms - self._keeping.days * _DAY_MS, approximate=False)
            pipe.xtrim(DEAD_LETTERS, maxlen=self._keeping.most, approximate=False)
            old, dropped = map(int, pipe.execute())
            if dropped:
                self._client.incrby(DROPPED, dropped)
            if old or dropped:
                self._forget_edits()
        return old + dropped

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
        Put a mended payload in place of a letter's own; ids of people in it are sealed.

        Raises:
            UnknownDeadLetter: there is none of that id.
            ValueError: the payload is no JSON object, or the letter cannot be mended.
        """
        letter = self.get(letter_id)
        if letter.stage != "door":
            raise ValueError("only a raw row can be mended")
        row = orjson.loads(payload)
        if not isinstance(row, dict):
            raise ValueError("the payload must be one JSON object")
        payload = json.dumps(self._sealed(row), ensure_ascii=False)
        with ours():
            edited = int(self._save(keys=[DEAD_LETTERS, EDITED], args=[letter.letter_id, payload]))
        if not edited:
            raise UnknownDeadLetter(letter_id)
        return replace(letter, payload=payload, edited_ms=edited)

    def _sealed(self, row: dict[str, Any]) -> dict[str, Any]:
        if self._pseudonyms is not None:
            return sealed_again(row, self._pseudonyms)
        if any(isinstance(row.get(name), str) for name in ("user_id", "anonymous_id", "device_id")):
            raise ValueError("ids of people must stay sealed")
        return row

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

    def _forget_edits(self) -> None:
        kept = self._client.xrange(DEAD_LETTERS, count=1)
        first = _place(kept[0][0]) if kept else None
        edited = self._client.hkeys(EDITED)
        gone = [one for one in edited if first is None or _place(one) < first]
        if gone:
            self._client.hdel(EDITED, *gone)

    def _letters(self, entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[DeadLetter]:
        with ours():
            edited = self._client.hmget(EDITED, [entry_id for entry_id, _ in entries])
        letters = [_letter(entry_id, fields) for entry_id, fields in entries]
        return [
            letter if told is None else _mended(letter, told.decode())
            for letter, told in zip(letters, edited, strict=True)
        ]


def _mended(letter: DeadLetter, told: str) -> DeadLetter:
    at, _, payload = told.partition(" ")
    return replace(letter, payload=payload, edited_ms=int(at))


def _place(letter_id: bytes) -> tuple[int, int]:
    at, _, number = letter_id.partition(b"-")
    return int(at), int(number)


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

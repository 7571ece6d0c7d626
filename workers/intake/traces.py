"""What Valkey holds of people: found and taken away."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis import ResponseError

from graph.domain.events import Event
from graph.domain.ids import DeviceId, UserId
from workers.intake import online, pages
from workers.intake.changes import ERASURES
from workers.intake.codec import decode, encode
from workers.intake.deadletters import DeadLetters
from workers.intake.errors import RefUnreadable
from workers.intake.letters import DeadLetter, event_of
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.sealing import unsealed
from workers.intake.stream import BACKLOG, GROUP, PAYLOAD, STREAM
from workers.intake.tally import Tally
from workers.intake.valkey import connect, ours

_PAGE = 200
_REPLACE = """
if redis.call('XDEL', KEYS[1], ARGV[2]) == 0 then return 0 end
local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
local grown = 0
if ARGV[3] ~= '' then
  redis.call('XADD', KEYS[1], '*', 'events', ARGV[3])
  grown = #ARGV[3]
end
-- Whoever holds the entry takes its size off, whatever became of it.
if held.err or #held == 0 then grown = grown - tonumber(ARGV[4]) end
redis.call('INCRBY', KEYS[2], grown)
return 1
"""


@dataclass(frozen=True, slots=True)
class Sought:
    """Whose traces are sought: all pseudonyms of a person, and devices that only they use."""

    user_ids: frozenset[UserId]
    device_ids: frozenset[DeviceId] = frozenset()

    def is_in(self, text: bytes) -> bool:
        """Whether a text names one of the pseudonyms."""
        return any(one.encode() in text for one in (*self.user_ids, *self.device_ids))

    def is_about(self, event: Event) -> bool:
        """Whether an event is of the person, or names them as the visitor of somebody."""
        return event.user_id in self.user_ids or event.visitor_id in self.user_ids


class Traces:
    """Takes away what Valkey holds of somebody; every method raises ``StreamUnavailable``."""

    def __init__(self, redis_url: str, pseudonyms: Pseudonyms) -> None:
        """
        Args:
            pseudonyms: tells who is named in rows that were put aside.
        """
        self._client = connect(redis_url)
        self._letters = DeadLetters(redis_url)
        self._tally = Tally(redis_url)
        self._pseudonyms = pseudonyms
        self._replace = self._client.register_script(_REPLACE)

    def forget(self, sought: Sought) -> dict[str, int]:
        """Take everything away; says how much, by what it was. Running it again does no harm."""
        return {
            "stream.events": self._from_stream(sought),
            "dead_letters": self._dead_letters(sought),
            "online": self._online(sought),
            "pages": self._pages(sought.user_ids),
            "counts": self._tally.forget(sought.device_ids),
        }

    def announce(self) -> None:
        """Have every process drop the answers that it remembers."""
        with ours():
            self._client.incr(ERASURES)

    def rewrite(self) -> None:
        """Have the server write its log anew, so that what was deleted is in no file either."""
        with ours(), suppress(ResponseError):  # it is about to, or keeps no log
            self._client.bgrewriteaof()

    def _from_stream(self, sought: Sought) -> int:
        """Entries are written again at the end without the person; their order decides nothing."""
        gone = 0
        for entry_id, payload in self._entries():
            if not sought.is_in(payload):
                continue
            left, taken = _without(payload, sought)
            if not taken:
                continue
            with ours():
                args = [GROUP, entry_id, left, len(payload)]
                gone += taken * int(self._replace(keys=[STREAM, BACKLOG], args=args))
        return gone

    def _entries(self) -> Iterator[tuple[bytes, bytes]]:
        with ours():
            newest = self._client.xrevrange(STREAM, count=1)
        if not newest:
            return
        after, upto = "-", newest[0][0].decode()
        while True:
            with ours():
                found = self._client.xrange(STREAM, min=after, max=upto, count=_PAGE)
            if not found:
                return
            yield from ((entry_id, fields.get(PAYLOAD, b"")) for entry_id, fields in found)
            after = f"({found[-1][0].decode()}"

    def _dead_letters(self, sought: Sought) -> int:
        named = [one.letter_id for one in self._letters.every() if self._names(one, sought)]
        return self._letters.remove(named)

    def _names(self, letter: DeadLetter, sought: Sought) -> bool:
        if letter.person in sought.user_ids or sought.is_in(letter.payload.encode()):
            return True
        return not sought.user_ids.isdisjoint(people_of(letter, self._pseudonyms))

    def _online(self, sought: Sought) -> int:
        ids = (*sought.device_ids, *sought.user_ids)
        keys: list[str | bytes] = [f"shopgraph:clock:{one}" for one in ids]
        keys += [key for user_id in sought.user_ids for key in online.keys_of(user_id)]
        keys += [key for one in ids for key in self._keys(f"shopgraph:pace:{one}:*")]
        with ours():
            return int(self._client.delete(*keys))

    def _pages(self, user_ids: Collection[UserId]) -> int:
        keys = self._keys(f"{pages.KEYS}*")
        theirs = []
        for start in range(0, len(keys), _PAGE):
            some = keys[start : start + _PAGE]
            with ours():
                held = self._client.mget(some)
            theirs += [
                key
                for key, text in zip(some, held, strict=True)
                if text and pages.owner_of(text) in user_ids
            ]
        with ours():
            return int(self._client.delete(*theirs)) if theirs else 0

    def _keys(self, pattern: str) -> list[bytes]:
        with ours():
            return list(self._client.scan_iter(pattern, count=5_000))


def people_of(letter: DeadLetter, pseudonyms: Pseudonyms) -> set[UserId]:
    """Everybody whom a letter names, as far as it can be read."""
    try:
        if letter.stage == "graph":
            event = event_of(letter)
            return {event.user_id, event.visitor_id or event.user_id}
        if letter.stage == "door":
            row = unsealed(letter.payload, pseudonyms)
            return set(_people_of_row(row, pseudonyms))
    except (ValueError, RefUnreadable, json.JSONDecodeError):
        pass
    return set()


def _people_of_row(row: dict[str, Any], pseudonyms: Pseudonyms) -> Iterator[UserId]:
    user_id, visitor_id = row.get("user_id"), row.get("anonymous_id")
    try:
        if isinstance(user_id, str):
            yield pseudonyms.customer(user_id)[0]
        if isinstance(visitor_id, str):
            yield pseudonyms.visitor(visitor_id)
    except UnicodeEncodeError:
        return


def _without(payload: bytes, sought: Sought) -> tuple[bytes, int]:
    """What is left of an entry, and how many events went; one that nobody can read goes whole."""
    try:
        events = decode(payload)
    except ValueError:
        return b"", 1
    left: Sequence[Event] = [event for event in events if not sought.is_about(event)]
    return encode(left) if left else b"", len(events) - len(left)

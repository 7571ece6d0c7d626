"""The event stream: what is on it is on disk, and will be in the graph."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from graph.domain.events import Event
from workers.intake.codec import encode
from workers.intake.deadletters import DeadLetter, DeadLetters, of_quarantined
from workers.intake.errors import StreamFull
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Checked, Kept, RowResult, Status
from workers.intake.valkey import connect, ours

STREAM = "shopgraph:events"
BACKLOG = "shopgraph:events:bytes"
BOOKMARKS = "shopgraph:imports"
PAYLOAD = b"events"
MAX_ENTRY_EVENTS = 500
DEFAULT_BACKLOG_BYTES = 256 * 1024 * 1024
DEFAULT_RECENT_S = 24 * 3600

_ACCEPT = """
local backlog = tonumber(redis.call('GET', KEYS[2]) or '0')
if backlog > tonumber(ARGV[1]) then return 'full' end
local n = #KEYS - 2
if n > 0 and ARGV[4] == '0' then
  local known = redis.call('MGET', unpack(KEYS, 3))
  for i = 1, n do
    if known[i] then return known end
  end
end
for i = 1, n do
  redis.call('SET', KEYS[i + 2], ARGV[i + 4], 'EX', ARGV[2], 'NX')
end
redis.call('XADD', KEYS[1], '*', 'events', ARGV[3])
redis.call('INCRBY', KEYS[2], #ARGV[3])
return 'ok'
"""
"""Looks up, remembers and appends in one atomic step, so no crash remembers what it lost."""

_APPEND = """
local backlog = tonumber(redis.call('GET', KEYS[2]) or '0')
if backlog > tonumber(ARGV[1]) then return 'full' end
for i = 4, #ARGV do
  redis.call('XADD', KEYS[1], '*', 'events', ARGV[i])
  redis.call('INCRBY', KEYS[2], #ARGV[i])
end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[3], ARGV[2], ARGV[3]) end
return 'ok'
"""


class EventStream:
    """
    Appends checked events; returns only when they are on disk.

    The server must run with an append-only file and ``appendfsync always``.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        pseudonyms: Pseudonyms | None = None,
        max_backlog_bytes: int = DEFAULT_BACKLOG_BYTES,
        recent_s: int = DEFAULT_RECENT_S,
    ) -> None:
        """
        Args:
            pseudonyms: seals the ids of rows that are put aside; without it they are dropped.
            max_backlog_bytes: more than this waiting for the graph, and nothing is taken.
            recent_s: for how long ids are remembered, so that repeats are told at once.
        """
        self._client = connect(redis_url)
        self._pseudonyms = pseudonyms
        self._max_backlog_bytes = max_backlog_bytes
        self._recent_s = recent_s
        self._accept = self._client.register_script(_ACCEPT)
        self._append = self._client.register_script(_APPEND)
        self._dead_letters = DeadLetters(redis_url)

    def accept(self, checked: Checked) -> list[RowResult]:
        """
        Store the good rows that did not come before, and put the doubtful ones aside.

        Returns:
            The answer per row, in order: ``duplicate`` or ``conflict`` for ids of the last day.

        Raises:
            StreamUnavailable: nothing was stored.
        """
        results = list(checked.rows)
        kept, events = checked.kept, checked.events
        if kept and (known := self._offer(kept, events, again=False)) is not None:
            fresh = []
            for one, fingerprint in zip(kept, known, strict=True):
                if fingerprint is None:
                    fresh.append(one)
                    continue
                is_same = fingerprint == one.fingerprint
                status = Status.DUPLICATE if is_same else Status.CONFLICT
                results[one.index] = replace(results[one.index], status=status)
            if fresh:
                events = [e for k in fresh for e in events[k.first : k.first + k.count]]
                self._offer(fresh, events, again=True)
        self._put_aside(checked, results)
        return results

    def append(self, events: Sequence[Event], *, bookmark: tuple[str, str] | None = None) -> None:
        """
        Store events without looking for repeats, which the graph will find anyway.

        Args:
            bookmark: name and text, stored in the same step: after a crash the bookmark
                tells exactly what is on the stream.

        Raises:
            StreamUnavailable: nothing was stored.
        """
        name, text = bookmark or ("", "")
        payloads = [
            encode(events[start : start + MAX_ENTRY_EVENTS])
            for start in range(0, len(events), MAX_ENTRY_EVENTS)
        ]
        with ours():
            answer = self._append(
                keys=[STREAM, BACKLOG, BOOKMARKS],
                args=[self._max_backlog_bytes, name, text, *payloads],
            )
        _refuse_full(answer)

    def bookmark(self, name: str) -> str | None:
        """The text last stored under a bookmark's name."""
        with ours():
            text = self._client.hget(BOOKMARKS, name)
        return None if text is None else text.decode()

    def depth(self) -> int:
        """Entries that are not in the graph yet."""
        with ours():
            return int(self._client.xlen(STREAM))

    def backlog_bytes(self) -> int:
        """Size of what is not in the graph yet."""
        with ours():
            return int(self._client.get(BACKLOG) or 0)

    def ping(self) -> None:
        """Ask the stream for a sign of life; raises ``StreamUnavailable``."""
        with ours():
            self._client.ping()

    def _offer(
        self, kept: Sequence[Kept], events: Sequence[Event], *, again: bool
    ) -> list[bytes | None] | None:
        keys = [STREAM, BACKLOG, *(_recent_key(one.key) for one in kept)]
        args = [
            self._max_backlog_bytes,
            self._recent_s,
            encode(events),
            int(again),
            *(one.fingerprint for one in kept),
        ]
        with ours():
            answer: Any = self._accept(keys=keys, args=args)
        _refuse_full(answer)
        return answer if isinstance(answer, list) else None

    def _put_aside(self, checked: Checked, results: Sequence[RowResult]) -> None:
        if self._pseudonyms is None:
            return
        letters: list[DeadLetter] = [
            of_quarantined(checked.raw[one.index], one, self._pseudonyms, checked.received_ms)
            for one in results
            if one.status in (Status.QUARANTINED, Status.CONFLICT)
        ]
        if letters:
            self._dead_letters.add(letters)


def _recent_key(key: str) -> bytes:
    return b"shopgraph:id:" + blake2b(key.encode(), digest_size=12).digest()


def _refuse_full(answer: Any) -> None:
    if answer == b"full":
        raise StreamFull

"""The event stream: what is on it is on disk, and will be in the graph."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from importlib.resources import files
from typing import Any

from graph.domain.events import Event
from workers.intake.codec import decode, encode
from workers.intake.deadletters import DEFAULT_KEEPING, DeadLetters, Keeping
from workers.intake.errors import StreamFull
from workers.intake.letters import NEVER_KEPT, of_row
from workers.intake.look import Limits, facts_of, seen_in
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Checked, Kept, RowResult, Seen, Status
from workers.intake.tally import KEPT_S, Tally, accepted, hour_key
from workers.intake.valkey import connect, ours

STREAM = "shopgraph:events"
BACKLOG = "shopgraph:events:bytes"
BOOKMARKS = "shopgraph:imports"
PAYLOAD = b"events"
GROUP = "ingest"
MAX_ENTRY_EVENTS = 500
DEFAULT_BACKLOG_BYTES = 256 * 1024 * 1024
DEFAULT_RECENT_S = 24 * 3600

_ACCEPT = (files("workers.intake") / "accept.lua").read_text(encoding="utf-8")
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
        keeping: Keeping = DEFAULT_KEEPING,
    ) -> None:
        """
        Args:
            pseudonyms: seals the ids of rows that are put aside; without it they are dropped.
            max_backlog_bytes: more than this waiting for the graph, and nothing is taken.
            recent_s: for how long ids are remembered, so that repeats are told at once.
            keeping: how many dead letters are kept, and for how long.
        """
        self._client = connect(redis_url)
        self._pseudonyms = pseudonyms
        self._max_backlog_bytes = max_backlog_bytes
        self._recent_s = recent_s
        self._accept = self._client.register_script(_ACCEPT)
        self._append = self._client.register_script(_APPEND)
        self._dead_letters = DeadLetters(redis_url, keeping)
        self._tally = Tally(redis_url)

    def look(self, checked: Checked, limits: Limits) -> list[RowResult] | Seen:
        """
        Store the good rows, unless the stores know something that the door has to know first.

        Returns:
            The answer per row, in order: ``duplicate`` or ``conflict`` for ids of the last day. Or
            what was found, and then nothing was stored.

        Raises:
            StreamUnavailable: nothing was stored.
        """
        answer = self._offer(checked, checked.kept, checked.events, "look", limits)
        if isinstance(answer, Seen):
            return answer
        return self._settled(checked, answer)

    def accept(self, checked: Checked) -> list[RowResult]:
        """As ``look``, for rows that the door has judged with all there is to know."""
        answer = self._offer(checked, checked.kept, checked.events, "plain")
        assert not isinstance(answer, Seen)
        return self._settled(checked, answer)

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

    def waiting(self, most: int = 2_000) -> list[Event] | None:
        """The events that are not in the graph yet; ``None`` for more than ``most`` entries."""
        with ours():
            entries = self._client.xrange(STREAM, count=most + 1)
        if len(entries) > most:
            return None
        payloads = [fields[PAYLOAD] for _, fields in entries if PAYLOAD in fields]
        return [event for payload in payloads for event in decode(payload)]

    def backlog_bytes(self) -> int:
        """Size of what is not in the graph yet."""
        with ours():
            return int(self._client.get(BACKLOG) or 0)

    def ping(self) -> None:
        """Ask the stream for a sign of life; raises ``StreamUnavailable``."""
        with ours():
            self._client.ping()

    def _settled(self, checked: Checked, known: Sequence[bytes | None] | None) -> list[RowResult]:
        """The answers, after what is new beside the known ones was stored as well."""
        results = list(checked.rows)
        if known is not None:
            fresh = []
            for one, mark in zip(checked.kept, known, strict=True):
                if mark is None:
                    fresh.append(one)
                    continue
                status = Status.DUPLICATE if mark == one.fingerprint else Status.CONFLICT
                results[one.index] = replace(results[one.index], status=status)
            if fresh:
                events = [e for k in fresh for e in checked.events[k.first : k.first + k.count]]
                self._offer(checked, fresh, events, "again")
        self._put_aside(checked, results)
        self._tally.refused(checked, results)
        return results

    def _offer(
        self,
        checked: Checked,
        kept: Sequence[Kept],
        events: Sequence[Event],
        mode: str,
        limits: Limits | None = None,
    ) -> Sequence[bytes | None] | Seen | None:
        if not kept and (limits is None or not (checked.samples or limits.is_counted)):
            return None
        args = [
            self._max_backlog_bytes,
            self._recent_s,
            encode(events) if events else b"",
            mode,
            b"".join(_recent_id(one.key) for one in kept),
            b"".join(one.fingerprint for one in kept),
            *facts_of(checked, limits),
            accepted((checked.events[one.first], one.count) for one in kept),
            KEPT_S,
        ]
        keys = [STREAM, BACKLOG, hour_key(checked.received_ms)]
        with ours():
            answer: Any = self._accept(keys=keys, args=args)
        _refuse_full(answer)
        if isinstance(answer, list):
            return answer
        return seen_in(answer) if answer != b"ok" else None

    def _put_aside(self, checked: Checked, results: Sequence[RowResult]) -> None:
        if self._pseudonyms is None:
            return
        letters = [
            of_row(checked, one, self._pseudonyms)
            for one in results
            if one.status not in _NO_LETTER and one.code not in NEVER_KEPT
        ]
        if letters:
            self._dead_letters.add(letters)


_NO_LETTER = (Status.ACCEPTED, Status.DUPLICATE)


def _recent_id(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=12).digest()


def _refuse_full(answer: Any) -> None:
    if answer == b"full":
        raise StreamFull

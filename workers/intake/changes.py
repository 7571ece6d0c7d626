"""What the shop changed a moment ago, so that every process can bring its memory up to date."""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graph.domain.ids import ItemId
from workers.intake.valkey import Question, connect, ours

EPOCH = "shopgraph:shop:epoch"
VERSION = "shopgraph:shop:version"
VECTORS = "shopgraph:shop:vectors"
ERASURES = "shopgraph:shop:erasures"
CHANGED = "shopgraph:shop:changed"
FORGOTTEN = "shopgraph:shop:forgotten"
PENDING = "shopgraph:shop:pending"

KEPT_CHANGES = 20_000
"""Whoever has missed more reads the whole catalogue."""

MOST_PENDING = 500

_DONE = """
local version = redis.call('INCR', KEYS[1])
for place = 2, #ARGV do
  redis.call('ZADD', KEYS[2], version, ARGV[place])
  redis.call('ZREM', KEYS[3], ARGV[place])
end
local extra = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[1])
if extra > 0 then
  local last = redis.call('ZRANGE', KEYS[2], extra - 1, extra - 1, 'WITHSCORES')
  redis.call('SET', KEYS[4], last[2])
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, extra - 1)
end
return version
"""

STAMP_KEYS = (EPOCH, VERSION, VECTORS, ERASURES, PENDING)
"""The first keys of a script that holds ``STAMP``."""

STAMP = f"""
local function stamp()
  local said = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
  said[5] = redis.call('ZRANGE', KEYS[5], 0, {MOST_PENDING})
  return said
end
"""
"""A Lua function whose answer ``read_stamp`` takes: one question costs a client a third of six."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """
    How far the shop has come; two equal stamps mean that nothing was changed in between.

    Attributes:
        epoch: another one after Valkey lost what it held.
        version: rises with every change of items.
        vectors: rises whenever stored vectors were renewed.
        pending: items that are being changed right now, or whose change was cut short; ``None``:
            too many to name.
        erasures: changes whenever somebody was erased, or came back.
    """

    epoch: str
    version: int
    vectors: int
    pending: frozenset[str] | None = frozenset()
    erasures: int = 0


class CatalogueChanges:
    """
    Who changes items says so before and after: ``begin``, the graph, ``done``.

    A change that is cut short between the two stays pending, and pending items are looked up in
    the graph by every answer, so none is ever shown by an old word. Every method raises
    ``StreamUnavailable`` while Valkey is away.
    """

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)
        self._done = self._client.register_script(_DONE)
        self._stamp = Question(self._client, f"{STAMP} return stamp()")

    def begin(self, item_ids: Iterable[ItemId]) -> None:
        """These items are about to change in the graph."""
        now = time.time()
        with ours():
            self._client.zadd(PENDING, dict.fromkeys(item_ids, now))

    def done(self, item_ids: Sequence[ItemId]) -> None:
        """The graph has the change."""
        with ours():
            self._done(keys=[VERSION, CHANGED, PENDING, FORGOTTEN], args=[KEPT_CHANGES, *item_ids])

    def renewed(self) -> None:
        """Stored vectors were renewed; answers that were made with older ones are outdated."""
        with ours():
            self._client.incr(VECTORS)

    def stamp(self) -> Stamp:
        """How far the shop has come; begins an epoch where Valkey holds none."""
        with ours():
            found = read_stamp(self._stamp.ask(STAMP_KEYS))
            if found is None:
                self._client.set(EPOCH, uuid.uuid4().hex, nx=True)
                found = read_stamp(self._stamp.ask(STAMP_KEYS))
        assert found is not None
        return found

    def since(self, version: int) -> list[ItemId] | None:
        """Items that changed after a version; ``None`` where that is too long ago to say."""
        with ours(), self._client.pipeline(transaction=True) as pipe:
            pipe.get(FORGOTTEN)
            pipe.zrangebyscore(CHANGED, f"({version}", "+inf")
            forgotten, changed = pipe.execute()
        if version < int(float(forgotten or 0)):
            return None
        return [ItemId(item_id.decode()) for item_id in changed]

    def settle(self, *, older_than_s: float = 60.0) -> int:
        """
        Take for done what has been pending for long: whoever changed it is gone.

        Returns:
            How many items that were.
        """
        with ours():
            left = self._client.zrangebyscore(PENDING, 0, time.time() - older_than_s, 0, 1000)
        if left:
            self.done([ItemId(item_id.decode()) for item_id in left])
        return len(left)


def read_stamp(answer: Sequence[Any]) -> Stamp | None:
    """A stamp of what ``STAMP`` said; ``None`` while no epoch has begun."""
    epoch, version, vectors, erasures, pending = answer
    if epoch is None:
        return None
    is_named = len(pending) <= MOST_PENDING
    return Stamp(
        epoch=epoch.decode(),
        version=int(version or 0),
        vectors=int(vectors or 0),
        pending=frozenset(one.decode() for one in pending) if is_named else None,
        erasures=int(erasures or 0),
    )

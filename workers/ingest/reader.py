"""Reading the event stream in order: first what was not acknowledged, then what is new."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from graph.domain.events import Event
from workers.intake.codec import decode
from workers.intake.letters import DeadLetter, of_entry
from workers.intake.stream import BACKLOG, GROUP, PAYLOAD, STREAM
from workers.intake.valkey import connect, ours

CONSUMER = "ingest"
"""One name for all processes: the lease lets one work at a time, and it inherits the rest."""

_SETTLE = "if redis.call('XLEN', KEYS[1]) == 0 then redis.call('SET', KEYS[2], 0) end"


@dataclass(slots=True)
class Batch:
    """
    Some entries of the stream, in order, and the events they hold.

    Attributes:
        size: bytes of the entries.
        unreadable: letters for entries that nobody can read.
    """

    entry_ids: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    size: int = 0
    unreadable: list[DeadLetter] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.entry_ids)


class Reader:
    """Hands out batches; what is not acknowledged comes again after a restart."""

    def __init__(self, redis_url: str, *, batch_events: int, block_ms: int) -> None:
        self._client = connect(redis_url, timeout_s=5.0 + block_ms / 1_000)
        self._batch_events = batch_events
        self._block_ms = block_ms
        self._pending_after: bytes | None = b"0"
        self._settle = self._client.register_script(_SETTLE)

    def restart(self) -> None:
        """Begin again with what was read and not acknowledged, by whomever."""
        with ours():
            try:
                self._client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            except redis.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
        self._pending_after = b"0"

    def next_batch(self, now_ms: int) -> Batch:
        """
        The next entries in order, at once if there are any; empty after a while without.

        Raises:
            StreamUnavailable: the stream is away.
        """
        batch = Batch()
        while len(batch.events) < self._batch_events:
            entries = self._read(waiting=not batch)
            if not entries:
                if self._pending_after is None:
                    break
                self._pending_after = None  # all old work is in hand: go on with the new
                if batch:
                    break
                continue
            for entry_id, fields in entries:
                _add(batch, entry_id, fields, now_ms)
            if self._pending_after is not None:
                self._pending_after = entries[-1][0]
        return batch

    def look_back(self) -> None:
        """
        In a quiet moment, look once more for work that was read and never finished.

        A process that lost its lease may have read on; its last entries are found this way.
        """
        self._pending_after = b"0"
        with ours():
            self._settle(keys=[STREAM, BACKLOG])

    def acknowledge(self, batch: Batch) -> None:
        """Forget a batch that is in the graph; raises ``StreamUnavailable``."""
        with ours(), self._client.pipeline(transaction=True) as pipe:
            pipe.xack(STREAM, GROUP, *batch.entry_ids)
            pipe.xdel(STREAM, *batch.entry_ids)
            pipe.decrby(BACKLOG, batch.size)
            pipe.execute()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _read(self, *, waiting: bool) -> Sequence[tuple[bytes, dict[bytes, bytes]]]:
        after = self._pending_after
        is_old = after is not None
        with ours():
            answer: Any = self._client.xreadgroup(
                GROUP,
                CONSUMER,
                {STREAM: after if is_old else ">"},
                count=4,
                block=self._block_ms if waiting and not is_old else None,
            )
        if not answer:
            return []
        streams = answer.values() if isinstance(answer, dict) else [answer[0][1]]
        entries: list[Any] = list(*streams)
        return entries


def _add(batch: Batch, entry_id: bytes, fields: dict[bytes, bytes] | None, now_ms: int) -> None:
    batch.entry_ids.append(entry_id)
    payload = (fields or {}).get(PAYLOAD)
    if payload is None:
        return  # deleted, or not ours: acknowledged with the rest
    batch.size += len(payload)
    try:
        batch.events.extend(decode(payload))
    except ValueError:
        batch.unreadable.append(of_entry(payload, now_ms))

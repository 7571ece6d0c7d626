"""The rest of a list, kept for the pages that follow the first one."""

import threading
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from secrets import token_hex

import orjson

from workers.intake.consent import ERASED, denied_key
from workers.intake.errors import StreamUnavailable
from workers.intake.valkey import connect, ours

KEYS = "shopgraph:page:"
KEPT_S = 1_800
_ERASED = denied_key(ERASED)

_KEEP = """
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
"""
"""A list may wait while its person is erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """
    A whole list as it was ranked once.

    Attributes:
        items: ids with the model's scores, best first.
        user_id: pseudonym of the person whose own list it is; ``None``: it is nobody's own.
    """

    level: str
    model_version: str | None
    items: Sequence[tuple[str, float | None]]
    user_id: str | None = None


class Pages:
    """
    Lists by a name that cannot be guessed, for half an hour; for every process.

    A thread writes them, all of a moment at once: Valkey puts every write on disk before it
    answers anybody, which takes longer than making a list.
    """

    def __init__(self, redis_url: str, *, rest_s: float = 0.05) -> None:
        """
        Nothing is kept yet.

        Args:
            rest_s: between two writings; so long another process may not find a list.
        """
        self._client = connect(redis_url)
        self._rest_s = rest_s
        self._keep = self._client.register_script(_KEEP)
        self._waiting: dict[str, tuple[str | None, bytes]] = {}
        self._writing: dict[str, tuple[str | None, bytes]] = {}
        self._is_away = False
        self._lock, self._one_writes = threading.Lock(), threading.Lock()
        self._wake = threading.Event()
        self._writer: threading.Thread | None = None

    def keep(self, listed: Listed) -> str:
        """Keep a list and give its name; raises ``StreamUnavailable``."""
        name = token_hex(16)
        with self._lock:
            self._waiting[name] = listed.user_id, _text(listed)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_on, name="pages", daemon=True)
                self._writer.start()
        if self._is_away:
            self._write()
        self._wake.set()
        return name

    def find(self, name: str) -> Listed | None:
        """The list, if it is still kept; raises ``StreamUnavailable``."""
        own = self._waiting.get(name) or self._writing.get(name)
        kept = self._stored(name) if own is None else own[1]
        if kept is None:
            # Another process may be about to write it.
            time.sleep(2 * self._rest_s)
            kept = self._stored(name)
        if kept is None:
            return None
        told = orjson.loads(kept)
        return Listed(**{**told, "items": [(item_id, score) for item_id, score in told["items"]]})

    def _stored(self, name: str) -> bytes | None:
        with ours():
            kept = self._client.get(_key(name))
        return None if kept is None else zlib.decompress(kept)

    def _write_on(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with suppress(StreamUnavailable):
                self._write()
            time.sleep(self._rest_s)

    def _write(self) -> None:
        with self._one_writes:
            with self._lock:
                self._writing, self._waiting = self._waiting, {}
            try:
                with ours(), self._client.pipeline(transaction=False) as pipe:
                    for name, (owner, text) in self._writing.items():
                        keys = [_key(name), _ERASED]
                        args = [owner or "", zlib.compress(text, 1), KEPT_S]
                        self._keep(keys=keys, args=args, client=pipe)
                    pipe.execute()
            except StreamUnavailable:
                self._is_away = True
                raise
            self._is_away, self._writing = False, {}


def _text(listed: Listed) -> bytes:
    return orjson.dumps({field.name: getattr(listed, field.name) for field in fields(Listed)})


def owner_of(kept: bytes) -> str | None:
    """Whose own list it is, as Valkey keeps it."""
    owner: str | None = orjson.loads(zlib.decompress(kept))["user_id"]
    return owner


def _key(name: str) -> str:
    return f"{KEYS}{name}"

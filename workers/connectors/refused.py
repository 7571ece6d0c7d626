"""Rows of platforms that were refused: said once, however often they are read again."""

from collections.abc import Sequence
from hashlib import blake2b

import orjson

from workers.connectors.connector import Raw
from workers.intake.valkey import connect, ours

KEPT_S = 30 * 86_400
_KEY = "shopgraph:connectors:refused:"


class Refused:
    """Remembers rows by their content, so that a mended one is looked at again."""

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)

    def others(self, rows: Sequence[Raw]) -> list[Raw]:
        """The rows that were not refused before."""
        if not rows:
            return []
        with ours():
            known = self._client.mget([_key(row) for row in rows])
        return [row for row, mark in zip(rows, known, strict=True) if mark is None]

    def note(self, rows: Sequence[Raw]) -> None:
        """These were refused, and lie with the dead letters."""
        with ours(), self._client.pipeline(transaction=False) as pipe:
            for row in rows:
                pipe.set(_key(row), b"1", ex=KEPT_S)
            pipe.execute()


def _key(row: Raw) -> str:
    content = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    return _KEY + blake2b(content, digest_size=12).hexdigest()

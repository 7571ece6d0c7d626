"""The rest of a list, kept for the pages that follow the first one."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson

from workers.intake.valkey import connect, ours

KEYS = "shopgraph:page:"
KEPT_S = 1_800


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
    """Lists by a name that cannot be guessed, for half an hour; for every process."""

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)

    def keep(self, listed: Listed) -> str:
        """Keep a list and give its name; raises ``StreamUnavailable``."""
        name = uuid.uuid4().hex
        with ours():
            self._client.set(_key(name), orjson.dumps(asdict(listed)), ex=KEPT_S)
        return name

    def find(self, name: str) -> Listed | None:
        """The list, if it is still kept; raises ``StreamUnavailable``."""
        with ours():
            kept = self._client.get(_key(name))
        if kept is None:
            return None
        told = orjson.loads(kept)
        return Listed(**{**told, "items": [(item_id, score) for item_id, score in told["items"]]})


def _key(name: str) -> str:
    return f"{KEYS}{name}"

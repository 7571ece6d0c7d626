"""How far each connector is, kept beside the stream that holds what it brought."""

import json
from dataclasses import asdict, dataclass, replace

from workers.intake.valkey import connect, ours

PROGRESS = "shopgraph:connectors:progress"


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a connector is; times in milliseconds UTC.

    Attributes:
        until_ms: everything that the platform changed before this is on the stream.
        tried_ms: when it was run last.
        failures: runs that failed since the last good one.
        not_before_ms: it is left alone until then.
        problem: why the last run failed.
    """

    until_ms: int
    tried_ms: int | None = None
    failures: int = 0
    not_before_ms: int = 0
    problem: str | None = None

    def gap_minutes(self, now_ms: int) -> float:
        """How much of the past is missing."""
        return max(0, now_ms - self.until_ms) / 60_000

    def moved(self, until_ms: int) -> "Progress":
        """After a window whose rows are all on disk; it never goes back."""
        return replace(self, until_ms=max(self.until_ms, until_ms))


class Bookmarks:
    """
    The progress of all connectors in one hash.

    They live and die with the stream: where both are lost, orders are read again from the platform,
    and none is lost (decision 022). Every method raises ``StreamUnavailable`` while Valkey is away.
    """

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)

    def get(self, name: str) -> Progress | None:
        """The progress of a connector, ``None`` before its first run."""
        with ours():
            text = self._client.hget(PROGRESS, name)
        return None if text is None else Progress(**json.loads(text))

    def all(self) -> dict[str, Progress]:
        """The progress of every connector that ever ran, by name."""
        with ours():
            found = self._client.hgetall(PROGRESS)
        return {name.decode(): Progress(**json.loads(text)) for name, text in found.items()}

    def keep(self, name: str, progress: Progress) -> None:
        """Write down how far a connector is; on disk when this returns."""
        with ours():
            self._client.hset(PROGRESS, name, json.dumps(asdict(progress)))

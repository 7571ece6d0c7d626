"""When each bell rang last, kept in Valkey beside the queue it rings for."""

from datetime import UTC, datetime

import redis

from workers.errors import JobsUnavailable

KEY = "shopgraph:schedule:rings"


class StoredRings:
    """
    Ring times in one hash of milliseconds UTC.

    Lost together with the queue, they cost no more than one ring that is not made up for.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=5.0)

    def last(self, name: str) -> datetime | None:
        """The last ring, or ``None``; raises ``JobsUnavailable``."""
        try:
            kept = self._redis.hget(KEY, name)
        except redis.RedisError as error:
            raise JobsUnavailable("the broker does not answer") from error
        return None if kept is None else datetime.fromtimestamp(int(kept) / 1000, UTC)

    def note(self, name: str, at: datetime) -> None:
        """Write a ring down; raises ``JobsUnavailable``."""
        try:
            self._redis.hset(KEY, name, str(int(at.timestamp() * 1000)))
        except redis.RedisError as error:
            raise JobsUnavailable("the broker does not answer") from error

    def close(self) -> None:
        """Let the connection go."""
        self._redis.close()

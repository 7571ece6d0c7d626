"""The one way to Valkey: a client that gives up quickly, and errors that are ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers.intake.errors import StreamUnavailable


def connect(redis_url: str, *, timeout_s: float = 3.0) -> "redis.Redis[bytes]":
    """A client that answers with bytes; it opens its sockets on first use, in this process."""
    return redis.Redis.from_url(
        redis_url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[redis.ConnectionError],
        health_check_interval=30,
    )


@contextmanager
def ours() -> Iterator[None]:
    """Turn what the client raises into ``StreamUnavailable``."""
    try:
        yield
    except redis.RedisError as error:
        raise StreamUnavailable(f"Valkey: {type(error).__name__}") from error

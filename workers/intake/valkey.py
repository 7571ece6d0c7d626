"""The one way to Valkey: a client that gives up quickly, and errors that are ours."""

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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


class Question:
    """
    A script that only reads, over a connection that each thread keeps for itself.

    The client's own way, with a pool and its locks, costs an answer a third of its time. It is gone
    where anything is unusual: it connects anew, and says what is wrong.
    """

    def __init__(self, client: "redis.Redis[bytes]", script: str) -> None:
        self._script = client.register_script(script)
        self._sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._pool = client.connection_pool
        self._kept = threading.local()

    def ask(self, keys: Sequence[str], args: Sequence[Any] = ()) -> Any:
        """What the script says; raises what the client raises."""
        connection = self._connection()
        try:
            connection.send_command("EVALSHA", self._sha, len(keys), *keys, *args)
            return connection.read_response()
        except redis.RedisError as error:
            self._kept.connection = None
            connection.disconnect()
            if isinstance(error, redis.TimeoutError):
                raise  # to ask again is to wait again
            return self._script(keys=keys, args=args)

    def _connection(self) -> Any:
        found = getattr(self._kept, "connection", None)
        if found is None or self._kept.pid != os.getpid():
            found = self._pool.make_connection()
            self._kept.connection, self._kept.pid = found, os.getpid()
        return found


@contextmanager
def ours() -> Iterator[None]:
    """Turn what the client raises into ``StreamUnavailable``."""
    try:
        yield
    except redis.RedisError as error:
        raise StreamUnavailable(f"Valkey: {type(error).__name__}") from error

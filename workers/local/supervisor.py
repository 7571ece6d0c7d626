"""All processes of one machine under one supervisor, stopped together."""

import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import honcho.manager
from honcho.printer import Printer

from graph.server.process import LEASH

STOP_WITHIN_S = 20
API_WORKERS = "2"
"""Processes of the API, where ``GRANIAN_WORKERS`` says nothing else (decision 011)."""


def _celery(queue: str) -> list[str]:
    pool = ["--pool", "prefork", "--concurrency", "1"]
    name = ["--hostname", f"{queue}@%h"]
    return ["celery", "--app", "workers.main:app", "worker", *name, "--queues", queue, *pool]


def _granian() -> list[str]:
    return ["granian", "--interface", "wsgi", "--blocking-threads", "4", "backend.wsgi:app"]


# Containers run the same commands; what differs between machines comes by environment.
PROCESSES: dict[str, list[str]] = {
    "api": _granian(),
    "ingest": ["shopgraph", "ingest"],
    "worker": _celery("default"),
    "training": _celery("training"),
    "scheduler": ["shopgraph", "scheduler"],
}
MIGRATE = ["shopgraph", "migrate"]


@dataclass(frozen=True)
class Ended:
    """
    How it ended.

    Attributes:
        first: the process that ended by itself and took the others along; none if asked to stop.
        exit_code: that of ``first``.
    """

    first: str | None
    exit_code: int


def run(
    commands: Mapping[str, list[str]],
    environment: Mapping[str, str],
    *,
    when_started: Callable[[], None] = lambda: None,
) -> Ended:
    """
    Run all commands until one ends, or until SIGINT, SIGTERM or SIGHUP; then end the others.

    Their output goes to standard output, a name before each line. When this process dies without
    a word they end as well.

    Args:
        commands: argument lists by name.
        environment: the whole environment of every command.
        when_started: called in a thread of its own once the processes are there.
    """
    honcho.manager.KILL_WAIT = STOP_WITHIN_S
    manager = _Manager(Printer(sys.stdout), when_started)
    for name, command in commands.items():
        manager.add_process(name, _leashed(command), env=dict(environment))
    # The terminal was closed: the manager knows what to do about the other two.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    manager.loop()
    return Ended(manager.first_ended, int(manager.returncode or 0))


def child_environment(additions: Mapping[str, str], *, home: Path, api_port: int) -> dict[str, str]:
    """
    The environment of the processes: ours, the services', and where the API listens.

    The folder in which API processes count together is emptied: what it held was counted by
    processes that are gone.
    """
    # The commands of this very installation, also when it is not activated.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    counts = home / "metrics"
    shutil.rmtree(counts, ignore_errors=True)
    counts.mkdir(parents=True)
    return {
        "GRANIAN_HOST": "127.0.0.1",
        "GRANIAN_WORKERS": API_WORKERS,
        # Threads of a training that wait for one another in a loop starve whoever has work to do,
        # and one another: 7 to 9 times slower beside two busy processes.
        "OMP_WAIT_POLICY": "PASSIVE",
        "PROMETHEUS_MULTIPROC_DIR": str(counts),
        "PYTHONUNBUFFERED": "1",
        **os.environ,
        **additions,
        "GRANIAN_PORT": str(api_port),
        "PATH": path,
    }


def _leashed(command: list[str]) -> str:
    leash = [sys.executable, "-I", "-S", str(LEASH), "watch", str(os.getpid())]
    return "exec " + shlex.join([*leash, *command])


class _Manager(honcho.manager.Manager):  # type: ignore[misc]
    """
    Honcho's manager, with two gaps closed.

    It takes a stop signal that comes before every process has started, and it kills also when no
    process at all obeys.
    """

    def __init__(self, printer: Printer, when_started: Callable[[], None]) -> None:
        super().__init__(printer)
        self.first_ended: str | None = None
        self._when_started = when_started
        self._is_stop_wanted = False
        self._kill_at: float | None = None

    def terminate(self) -> None:
        if not self._is_stop_wanted:
            self._is_stop_wanted = True
            self.first_ended = next((n for n in self._processes if self._has_ended(n)), None)
        self._stop_if_started()

    def _start(self) -> None:
        super()._start()
        # A thread must not be there before the forks.
        threading.Thread(target=self._when_started, daemon=True).start()

    def _all_started(self) -> bool:
        # The loop asks this several times a second.
        self._stop_if_started()
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self._kill_at = None
            self.kill()
        return bool(super()._all_started())

    def _stop_if_started(self) -> None:
        if self._is_stop_wanted and not self._terminating and super()._all_started():
            self._kill_at = time.monotonic() + STOP_WITHIN_S
            super().terminate()

    def _has_ended(self, name: str) -> bool:
        return self._processes[name].get("returncode") is not None

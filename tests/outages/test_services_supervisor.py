"""The supervisor, with small real processes in place of ours."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

# A command with a child of its own; both leave their number behind. The second argument says
# whether they obey SIGTERM.
COMMAND = """
import os, pathlib, signal, subprocess, sys, time
folder, obeys = pathlib.Path(sys.argv[1]), sys.argv[2] == "obeys"
if not obeys:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
for pid in (os.getpid(), child.pid):
    (folder / str(pid)).touch()
print("hello from", sys.argv[3], flush=True)
if len(sys.argv) > 4:
    time.sleep(1)
    sys.exit(int(sys.argv[4]))
time.sleep(600)
"""

SUPERVISOR = """
import json, os, sys
from workers.local import supervisor
supervisor.STOP_WITHIN_S = 2
ended = supervisor.run(json.loads(sys.argv[1]), dict(os.environ))
print("ended", ended.first, ended.exit_code, flush=True)
"""


class World:
    """A supervisor and the processes that it runs."""

    def __init__(self, folder: Path, *commands: tuple[str, ...]) -> None:
        self.folder = folder
        self.expected = 2 * len(commands)
        arguments = {
            f"p{n}": [sys.executable, "-c", COMMAND, str(folder), command[0], f"p{n}", *command[1:]]
            for n, command in enumerate(commands)
        }
        self.supervisor = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, json.dumps(arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_up(self) -> None:
        """All commands and their children are there."""
        assert _within(20, lambda: len(self.pids()) == self.expected)

    def pids(self) -> list[int]:
        """The processes that ever came up."""
        return [int(path.name) for path in self.folder.iterdir()]

    def alive(self) -> list[int]:
        """Those that still run."""
        return [pid for pid in self.pids() if _is_alive(pid)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for path in tmp_path.iterdir():
        if _is_alive(int(path.name)):
            os.kill(int(path.name), signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_everything(folder: Path, number: signal.Signals) -> None:
    world = World(folder, ("obeys",), ("obeys",))
    world.wait_until_up()
    world.supervisor.send_signal(number)
    output, _ = world.supervisor.communicate(timeout=15)
    assert "ended None" in output
    assert "hello from p0" in output
    assert world.alive() == []


def test_a_process_that_ignores_sigterm_is_killed(folder: Path) -> None:
    world = World(folder, ("ignores",), ("ignores",))
    world.wait_until_up()
    world.supervisor.terminate()
    world.supervisor.communicate(timeout=15)
    assert world.alive() == []


def test_one_that_ends_takes_the_others_along_and_is_named(folder: Path) -> None:
    world = World(folder, ("obeys",), ("obeys", "3"))
    output, _ = world.supervisor.communicate(timeout=20)
    assert "ended p1 3" in output
    assert world.alive() == []


@pytest.mark.parametrize("manner", ["obeys", "ignores"])
def test_a_supervisor_killed_with_kill_9_leaves_no_orphan(folder: Path, manner: str) -> None:
    world = World(folder, (manner,), ("obeys",))
    world.wait_until_up()
    world.supervisor.kill()
    world.supervisor.communicate(timeout=20)
    assert _within(20, lambda: world.alive() == [])


def _is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True

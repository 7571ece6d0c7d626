"""Starting and stopping a server process that may outlive the command that started it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import structlog

log = structlog.get_logger(__name__)

LEASH = Path(__file__).with_name("leash.py")

# Popen complains when it is dropped while its child runs; ours are stopped by id, often elsewhere.
_children: dict[int, "subprocess.Popen[bytes]"] = {}


@dataclass(frozen=True)
class Running:
    """A process, named so that a later one with the same id is not mistaken for it."""

    pid: int
    started: float


@dataclass(frozen=True)
class Launch:
    """A command and how it is to run."""

    command: tuple[str, ...]
    folder: Path
    output: Path
    environment: dict[str, str]
    ends_with_parent: bool


def spawn(launch: Launch) -> Running:
    """
    Start a process in its own process group, its output in a file.

    A process that ends with its parent must be started from the main thread: the kernel's signal
    comes when the starting thread ends.
    """
    command = list(launch.command)
    if launch.ends_with_parent:
        command = [sys.executable, "-I", "-S", str(LEASH), "exec", str(os.getpid()), *command]
    with launch.output.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=launch.folder,
            env=launch.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[process.pid] = process
    return Running(pid=process.pid, started=_started(process.pid))


def is_running(running: Running) -> bool:
    """Whether that very process is alive."""
    return _find(running) is not None


def exit_code(running: Running) -> int | None:
    """The exit code of a process that this one started; none while it runs."""
    process = _children.get(running.pid)
    return None if process is None else process.poll()


def stop(running: Running, *, patience_s: float) -> bool:
    """
    End a process: SIGTERM, wait, SIGKILL.

    Returns:
        Whether it ended by itself; a process that was gone already did.
    """
    process = _find(running)
    clean = True
    if process is not None:
        try:
            process.terminate()
            process.wait(patience_s)
        except psutil.TimeoutExpired:
            log.warning("process_killed", pid=running.pid, waited_s=patience_s)
            clean = False
            process.kill()
            process.wait(10)
        except psutil.NoSuchProcess:
            pass
    child = _children.pop(running.pid, None)
    if child is not None:
        child.wait(10)
    return clean


def _find(running: Running) -> psutil.Process | None:
    try:
        process = psutil.Process(running.pid)
        if _started(running.pid) != running.started:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def _started(pid: int) -> float:
    # Linux counts ticks since the boot, which no change of the clock moves.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return psutil.Process(pid).create_time()
    return float(stat.rsplit(")", 1)[1].split()[19])

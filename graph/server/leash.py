"""
Ends a command together with the process that asked for it; run as a script, standard library only.

``leash.py exec PARENT COMMAND...`` becomes the command, and the kernel sends it SIGTERM when
its parent dies (Linux). ``leash.py watch PARENT COMMAND...`` stays beside the command; when PARENT
is gone it ends the whole process group: SIGTERM, some seconds, SIGKILL. It does the same to what a
command leaves behind when it ends. It reads ``/proc``, as Linux has it.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_GRACE_S = 8.0
_AFTERWARDS_S = 5.0
_POLL_S = 0.3


def main(arguments: list[str]) -> int:
    """Run the command that the arguments name."""
    mode, parent, command = arguments[0], int(arguments[1]), arguments[2:]
    if mode == "exec":
        become(command, parent)
    return watch(command, parent)


def become(command: list[str], parent: int) -> None:
    """Turn into the command, bound to the life of the parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # The parent may have died before the line above.
    if os.getppid() != parent:
        sys.exit(143)
    os.execvp(command[0], command)  # noqa: S606


def watch(command: list[str], parent: int) -> int:
    """Run the command until it ends, or until the parent does; nothing of it is left then."""
    # A stop signal goes to the whole process group; only the command answers it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    child = subprocess.Popen(command, preexec_fn=_default_signals)
    is_gone = _watcher(parent)
    # Signals interrupt no wait of Python, so both are looked at in turn.
    while child.poll() is None and not is_gone(_POLL_S):
        pass
    has_ended = child.poll() is not None
    _end_group(child, _AFTERWARDS_S if has_ended else _GRACE_S)
    if not has_ended:
        return 143
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _watcher(parent: int) -> Callable[[float], bool]:
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(parent)
        except ProcessLookupError:
            return lambda seconds: True
        except OSError:
            pass
        else:
            return lambda seconds: bool(select.select([descriptor], [], [], seconds)[0])
    return lambda seconds: _is_gone_after(parent, seconds)


def _is_gone_after(parent: int, seconds: float) -> bool:
    time.sleep(seconds)
    try:
        os.kill(parent, 0)
    except ProcessLookupError:
        return True
    return False


def _end_group(child: "subprocess.Popen[bytes]", grace_s: float) -> None:
    deadline = time.monotonic() + grace_s
    if _others():
        os.killpg(0, signal.SIGTERM)
    while (child.poll() is None or _others()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in _others():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if child.poll() is None:
        child.kill()
        child.wait()


def _others() -> list[int]:
    """The living members of our process group, without ourselves."""
    group, found = os.getpgrp(), []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        pid = int(stat.parent.name)
        with contextlib.suppress(OSError):
            state, _, process_group = stat.read_text().rsplit(")", 1)[1].split()[:3]
            if int(process_group) == group and state != "Z" and pid != os.getpid():
                found.append(pid)
    return found


def _default_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

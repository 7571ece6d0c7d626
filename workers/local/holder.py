"""Who works in a data folder: one supervisor at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.local.errors import FolderHeld


@contextmanager
def hold(home: Path, *, command: str) -> Iterator[None]:
    """
    Keep a data folder for this process; the kernel gives it back when the process ends.

    Raises:
        FolderHeld: another process has it.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderHeld(f"{home} is in use by {_name(home) or 'another process'}") from error
        file.truncate(0)
        file.write(f"`{command}` (process {os.getpid()})")
        file.flush()
        yield
        file.truncate(0)


def holder(home: Path) -> str | None:
    """The command and process that has a data folder; none if it is free."""
    try:
        with (home / "up.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except OSError:
        return _name(home) or "another process"


def _name(home: Path) -> str:
    return (home / "up.lock").read_text().strip()

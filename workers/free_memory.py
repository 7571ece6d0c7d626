"""How much memory a job may still take."""

from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


def free_bytes(cgroup: Path = _CGROUP) -> int:
    """What the machine has to give, or what the container may still take where that is less."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        cached = _inactive(cgroup)
    except (OSError, ValueError):
        return free
    return free if limit == "max" else max(min(free, int(limit) - used + cached), 0)


def _inactive(cgroup: Path) -> int:
    """Pages of files that are held only because nobody else needs the room."""
    for line in (cgroup / "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return int(value)
    return 0

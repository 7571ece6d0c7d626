"""What an installation takes of a machine: memory of its processes, disk of its data folder."""

import re
from collections import defaultdict
from pathlib import Path

import psutil

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_NAMES = (
    ("org.neo4j", "Neo4j"),
    ("valkey-server", "Valkey"),
    ("granian", "api"),
    ("queues training", "training worker"),
    ("queues default", "worker"),
    ("scheduler", "scheduler"),
    ("ingest", "ingest"),
)
MIB = 1 << 20


def peak_memory_mib() -> dict[str, float]:
    """
    The highest resident memory of each kind of process below this one, in MiB.

    A kind that runs as several processes, such as a worker and its child, counts their sum. Where
    the system keeps no peak, what is resident now.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for process in psutil.Process().children(recursive=True):
        try:
            found[kind_of(process)] += _peak_mib(process)
        except psutil.Error:  # it has just ended
            continue
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def disk_mib(folder: Path) -> dict[str, float]:
    """The size of each part of a data folder, in MiB, the largest first."""
    sizes = {
        part.name: sum(file.stat().st_size for file in part.rglob("*") if file.is_file()) / MIB
        for part in folder.iterdir()
        if part.is_dir()
    }
    return dict(sorted(sizes.items(), key=lambda pair: -pair[1]))


def kind_of(process: psutil.Process) -> str:
    """Which part of an installation a process is; raises ``psutil.Error`` once it has ended."""
    return _kind(" ".join(process.cmdline()))


def _kind(command: str) -> str:
    return next((name for mark, name in _NAMES if mark in command), "supervisor")


def _peak_mib(process: psutil.Process) -> float:
    try:
        peak = _PEAK.search(Path(f"/proc/{process.pid}/status").read_text())
    except OSError:
        peak = None
    return int(peak[1]) / 1024 if peak else process.memory_info().rss / MIB

"""How long a graph takes into files and back, and whether it is the same then."""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import psutil
from neo4j import ManagedTransaction

from graph import dump, pulls
from workers.benchmarks.figures import Figure
from workers.benchmarks.footprint import MIB
from workers.benchmarks.serving import load_shop
from workers.benchmarks.stack import running_stack
from workers.benchmarks.training import made_up_log
from workers.graph_files.export import export
from workers.graph_files.restore import restore

EVERYTHING = 1 << 62


def graph_files_figures(events: int, report: Callable[[str], None]) -> Iterator[Figure]:
    """
    Export a made-up shop while ingest runs, and restore it into a second server.

    Args:
        report: told what is being done.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "export"
        with running_stack(["ingest"]) as stack:
            report(f"load {events:,} events")
            load_shop(stack, made_up_log(events))
            before = stack.graph.read(digest)
            report("export")
            began, memory = time.perf_counter(), _memory_mib()
            manifest = export(stack.graph, folder, now_ms=_now_ms())
            seconds, grown = time.perf_counter() - began, _memory_mib() - memory
        lines = sum(file.lines for file in manifest.files)
        size = sum(path.stat().st_size for path in folder.iterdir()) / MIB
        yield Figure("export", seconds, "s", detail=f"{lines / seconds:,.0f} nodes and edges/s")
        yield Figure("files", size, "MiB", detail=f"{len(manifest.files)} files, {lines:,} lines")
        yield Figure("memory that the export took", grown, "MiB")
        with running_stack([]) as stack:
            report("restore into a second server")
            began = time.perf_counter()
            restore(
                stack.graph,
                folder,
                owner="benchmark",
                now_ms=_now_ms(),
                erase_again=lambda graph, also: 0,
            )
            seconds = time.perf_counter() - began
            is_same = stack.graph.read(digest) == before
        yield Figure("restore", seconds, "s", detail=f"{lines / seconds:,.0f} nodes and edges/s")
        yield Figure("same graph", float(is_same), "", 1.0, detail="digest of all nodes and edges")


def digest(tx: ManagedTransaction) -> int:
    """A number that tells two graphs apart, in whatever order they are read; leases change."""
    plan = dump.plan(tx, upper=EVERYTHING)
    total = pulls.last_seq(tx)
    for section in plan.sections:
        if section.label == "Lease":
            continue
        rows = dump.read(
            tx, section, keys=plan.keys, upper=EVERYTHING, after=None, limit=EVERYTHING
        )
        for _, row in rows:
            fact = orjson.dumps([*section, row], option=orjson.OPT_SORT_KEYS)
            total += int.from_bytes(hashlib.sha256(fact).digest())
    return total % (1 << 256)


def _memory_mib() -> float:
    return float(psutil.Process().memory_info().rss) / MIB


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

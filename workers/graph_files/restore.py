"""A folder back into a graph; cut short, it goes on at the last batch."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from graph import migrations, restores
from graph.client import Graph
from graph.counts import GraphCounts, counts
from graph.domain.ids import UserId
from graph.restores import Restoring
from graph.tombstones import RECORDS
from workers.connectors.imports import chunks
from workers.graph_files.errors import RestoreIncomplete, RestoreRefused
from workers.graph_files.folder import GraphFile, Manifest, read_lines, read_manifest, verify

BATCH = 5_000


class EraseAgain(Protocol):
    """Erases people who were erased before and came back with an older state of the graph."""

    def __call__(self, graph: Graph, also: Sequence[UserId]) -> int:
        """
        Erase everybody with a tombstone in the graph, and these.

        Returns:
            How many people there were to be erased.
        """
        ...


@dataclass(frozen=True, slots=True)
class Restored:
    """
    What was put back.

    Attributes:
        left_out: edges, by type, one of whose ends had been removed while they were exported.
        erased: people who were erased again.
    """

    manifest: Manifest
    left_out: dict[str, int]
    erased: int


def restore(
    graph: Graph,
    folder: Path,
    *,
    owner: str,
    now_ms: int,
    erase_again: EraseAgain,
    erased: Sequence[UserId] = (),
    replace_graph: bool = False,
    batch: int = BATCH,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Restored:
    """
    Put an exported graph back; nothing may be served or stored until this has ended.

    Args:
        owner: who runs the migrations.
        erased: people to erase again beside those of whom the graph or the folder has tombstones.
        replace_graph: throw away what is in the graph, all but its tombstones.
        batch: lines of one transaction.
        report: told how many lines of how many are written.

    Raises:
        FilesDamaged: the folder is not a whole export; nothing was changed.
        RestoreRefused: somebody is at work on the graph, or it is not empty, or holds the beginning
            of another restore; or the folder is newer than this program. Nothing was changed.
        RestoreIncomplete: the graph does not hold what the folder does; it stays closed.
    """
    manifest = read_manifest(folder)
    known = migrations.migrations()[-1].version
    if manifest.migration > known:
        raise RestoreRefused(f"{folder} was written by a newer program (V{manifest.migration})")
    verify(folder, manifest)
    now = _begun(graph, manifest, owner=owner, now_ms=now_ms, replace_graph=replace_graph)
    if now.stage == "clearing":
        restores.clear(graph)
        now = graph.write(restores.note, replace(now, stage="loading"))
    if now.stage == "loading":
        now = _load(graph, folder, manifest, now, batch, report)
        wrong = _differences(manifest, graph.read(counts), now.left_out)
        if wrong:
            graph.write(restores.note, replace(now, source=""))  # to be begun anew
            raise RestoreIncomplete(f"the graph is not what was written: {wrong}")
        now = graph.write(restores.note, replace(now, stage="changing"))
    if now.stage == "changing":
        migrations.change_again(graph, after=manifest.migration)
        now = graph.write(restores.note, replace(now, stage="erasing"))
    people = erase_again(graph, erased)
    graph.write(restores.end)
    return Restored(manifest, dict(now.left_out), people)


def _begun(
    graph: Graph, manifest: Manifest, *, owner: str, now_ms: int, replace_graph: bool
) -> Restoring:
    """How far this restore is, after the first look at the graph."""
    begun = graph.read(restores.state)
    if begun is not None and begun.source == manifest.sha256:
        return begun
    if busy := graph.read(restores.at_work, now_ms=now_ms):
        raise RestoreRefused(
            f"{', '.join(busy)} is at work on this graph; end `shopgraph up` first"
        )
    found = graph.read(counts)
    kept = {label: n for label, n in found.nodes.items() if label not in RECORDS}
    if not replace_graph and (kept or begun is not None):
        told = ", ".join(f"{label} {n:,}" for label, n in kept.items())
        raise RestoreRefused(f"the graph is not empty ({told}); --replace throws that away")
    migrations.apply(graph, owner=owner, now_ms=now_ms)
    stage = "clearing" if kept or begun is not None else "loading"
    return graph.write(restores.note, Restoring(manifest.sha256, stage))


def _load(
    graph: Graph,
    folder: Path,
    manifest: Manifest,
    now: Restoring,
    batch: int,
    report: Callable[[int, int], None],
) -> Restoring:
    # Nodes first: the edges look for their ends.
    files = sorted(manifest.files, key=lambda file: (file.kind == "edges", file.name))
    total = sum(file.lines for file in files)
    done = sum(file.lines for file in files[: now.file]) + now.line
    for file in files[now.file :]:
        for rows in chunks(islice(read_lines(folder / file.name), now.line, None), batch):
            now = _put(graph, manifest, file, rows, now)
            done += len(rows)
            report(done, total)
        now = graph.write(restores.note, replace(now, file=now.file + 1, line=0))
    return now


def _put(
    graph: Graph, manifest: Manifest, file: GraphFile, rows: list[Any], now: Restoring
) -> Restoring:
    if file.kind == "nodes":
        key = manifest.keys[file.of]
        return graph.write(restores.put_nodes, file.of, key, rows, before=now)
    return graph.write(restores.put_edges, file.of, manifest.keys, rows, before=now)


def _differences(manifest: Manifest, found: GraphCounts, left_out: Mapping[str, int]) -> str:
    """Labels and types of which the graph holds another number than the folder, in words."""
    nodes = dict(manifest.nodes)
    for label in found.nodes.keys() & RECORDS:  # of the graph, beside those of the folder
        nodes[label] = max(nodes.get(label, 0), found.nodes[label])
    wanted = Counter(nodes) + Counter(manifest.relationships) - Counter(left_out)
    there = Counter(found.nodes) + Counter(found.relationships)
    return ", ".join(
        f"{name} {there[name]:,} of {wanted[name]:,}"
        for name in sorted(wanted.keys() | there.keys())
        if wanted[name] != there[name]
    )

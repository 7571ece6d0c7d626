"""The whole graph into a folder, while everything runs; cut short, it goes on at the last file."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from neo4j import ManagedTransaction
from pydantic import BaseModel, ValidationError

from graph import dump, migrations, pulls
from graph.client import Graph
from graph.dump import Place, Section
from workers.graph_files.errors import ExportRefused
from workers.graph_files.folder import (
    MANIFEST,
    PROGRESS,
    GraphFile,
    Manifest,
    sha256,
    write_lines,
    write_model,
)

LINES = 100_000
"""Of a file; one that ends with a node of very many edges may have more."""


class Progress(BaseModel):
    """
    How far an export is, and what was decided at its beginning.

    Attributes:
        section: the number of sections that are done.
        after: where the next file goes on in its section.
    """

    made_ms: int
    migration: str
    database: str
    with_vectors: bool
    upper: int
    keys: dict[str, tuple[str, ...]]
    sections: tuple[Section, ...]
    section: int = 0
    after: Place | None = None
    files: tuple[GraphFile, ...] = ()
    nodes: dict[str, int] = {}

    def manifest(self) -> Manifest:
        """What the finished folder says of itself."""
        relationships = Counter[str]()
        for file in self.files:
            relationships[file.of] += file.lines * (file.kind == "edges")
        return Manifest(
            made_ms=self.made_ms,
            migration=self.migration,
            last_seq=self.upper,
            with_vectors=self.with_vectors,
            keys=self.keys,
            files=self.files,
            nodes=self.nodes,
            relationships=dict(+relationships),
        ).sealed()


def export(
    graph: Graph,
    folder: Path,
    *,
    now_ms: int,
    with_vectors: bool = True,
    lines: int = LINES,
    report: Callable[[GraphFile], None] = lambda _: None,
) -> Manifest:
    """
    Write every node and edge; memory does not grow with the graph.

    The state is that of one moment as far as events go: all up to the newest ``seq`` at the
    beginning, none after. Nodes and other edges are read afterwards, so they may be younger.

    Args:
        with_vectors: also the embeddings. A live model answers from them, so a graph without
            them serves lists of a lower level until the next renewal.
        report: told of each file that is written.

    Raises:
        ExportRefused: the folder holds a whole export, or the beginning of another one.
        GraphRejected: something in the graph cannot be named or written.
    """
    _prepare(folder)
    progress = _resumed(graph, folder) or _begun(graph, now_ms, with_vectors=with_vectors)
    if progress.with_vectors != with_vectors:
        raise ExportRefused(f"the export in {folder} was begun with the other choice of vectors")
    write_model(folder / PROGRESS, progress)
    while progress.section < len(progress.sections):
        before, progress = progress, graph.read(_write_file, folder, progress, lines)
        write_model(folder / PROGRESS, progress)
        for file in progress.files[len(before.files) :]:
            report(file)
    manifest = progress.manifest()
    write_model(folder / MANIFEST, manifest)
    (folder / PROGRESS).unlink()
    return manifest


def _prepare(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / MANIFEST).exists():
        raise ExportRefused(f"{folder} holds a whole export; name another folder")
    if not (folder / PROGRESS).exists() and any(folder.iterdir()):
        raise ExportRefused(f"{folder} is not empty; name another folder")


def _resumed(graph: Graph, folder: Path) -> Progress | None:
    path = folder / PROGRESS
    if not path.exists():
        return None
    try:
        progress = Progress.model_validate_json(path.read_bytes())
    except ValidationError:
        raise ExportRefused(f"{path} is damaged; begin in another folder") from None
    if progress.database != graph.read(dump.database):
        raise ExportRefused(f"the export in {folder} was begun on another graph")
    return progress


def _begun(graph: Graph, now_ms: int, *, with_vectors: bool) -> Progress:
    migrations.verify(graph)
    plan = graph.read(dump.plan, upper=graph.read(pulls.last_seq))
    return Progress(
        made_ms=now_ms,
        migration=migrations.migrations()[-1].version,
        database=plan.database,
        with_vectors=with_vectors,
        upper=plan.upper,
        keys=dict(plan.keys),
        sections=plan.sections,
    )


def _write_file(tx: ManagedTransaction, folder: Path, progress: Progress, limit: int) -> Progress:
    """Write the next file; should the transaction run again, the file is begun again."""
    section = progress.sections[progress.section]
    kind = "nodes" if section.kind == "nodes" else "edges"
    name = f"{len(progress.files):05d}-{kind}.jsonl.gz"
    page = _Page(limit, is_whole=section.kind in ("rest", "edges"))
    found = dump.read(
        tx,
        section,
        keys=progress.keys,
        upper=progress.upper,
        after=progress.after,
        limit=limit,
        with_vectors=progress.with_vectors,
    )
    lines = write_lines(folder / f".{name}", page.rows(found))
    about: dict[str, Any] = {"after": page.last}
    if page.is_last:
        about = {"section": progress.section + 1, "after": None}
    if not lines:
        (folder / f".{name}").unlink()
        return progress.model_copy(update=about)
    (folder / f".{name}").replace(folder / name)
    file = GraphFile(
        name=name,
        kind=kind,
        of=section.type or section.label,
        lines=lines,
        sha256=sha256(folder / name),
    )
    nodes = Counter(progress.nodes) + page.labels
    return progress.model_copy(
        update={**about, "files": (*progress.files, file), "nodes": dict(nodes)}
    )


class _Page:
    """
    The rows of one file, counted on their way.

    Attributes:
        last: the place of the last row.
        is_last: nothing follows in this section.
    """

    def __init__(self, limit: int, *, is_whole: bool) -> None:
        """
        Args:
            is_whole: rows with one place stay in one file, as the next begins after a place.
        """
        self._limit, self._is_whole = limit, is_whole
        self.last: Place | None = None
        self.is_last = True
        self.labels = Counter[str]()

    def rows(self, found: Iterator[tuple[Place, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
        for number in itertools.count():
            place, row = next(found, (None, {}))
            if place is None:
                self.is_last = self._is_whole or number < self._limit
                return
            if self._is_whole and number >= self._limit and place != self.last:
                self.is_last = False
                return
            self.last = place
            self.labels.update(row.get("labels", ()))
            yield row

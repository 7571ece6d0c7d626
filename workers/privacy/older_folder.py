"""A data folder of an older day put back: who was erased since is erased again before it serves."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from graph import migrations, tombstones
from graph.client import Graph
from graph.settings import GraphSettings
from workers.intake.settings import IntakeSettings
from workers.leases import now_ms
from workers.local import Ports, Starting, backup, environment, start_local, stop_local
from workers.privacy.build import erasures_of
from workers.privacy.erasure import apply_tombstones

HOW = Starting(started_by="shopgraph restore", ends_with_parent=True)


def restore_again(
    home: Path, path: Path, *, replace: bool, owner: str, how: Starting = HOW
) -> tuple[backup.Backup, int]:
    """
    Put a backup in place of a folder's data, and erase again who was erased since it was made.

    The marks of erasures are read from the graph that is thrown away, so it must still start.

    Args:
        replace: throw away a graph that is there.
        owner: who runs the migrations.

    Returns:
        What the backup says of itself, and how many people were erased again.

    Raises:
        FolderHeld, BackupRefused, ServiceFailed: nothing was changed.
    """
    is_there = (home / backup.PARTS[0]).is_dir()
    known = tombstones.Marks([], [])
    if replace and is_there:
        with _running(home, how) as (graph, _):
            known = graph.read(tombstones.marks)
    restored = backup.restore(home, path, replace=replace)
    if not known.tombstones:
        return restored, 0
    with _running(home, how) as (graph, found):
        migrations.apply(graph, owner=owner, now_ms=now_ms())
        settings = IntakeSettings(
            redis_url=found["REDIS_URL"],
            pseudonym_key=SecretStr(found["SHOPGRAPH_PSEUDONYM_KEY"]),
            encryption_key=SecretStr(found["SHOPGRAPH_ENCRYPTION_KEY"]),
        )
        store = Path(found["SHOPGRAPH_MODEL_STORE"])
        erasing = erasures_of(graph, settings.redis_url, settings.pseudonyms(), store)
        return restored, apply_tombstones(erasing, graph, known)


@contextmanager
def _running(home: Path, how: Starting) -> Iterator[tuple[Graph, dict[str, str]]]:
    """The services of the folder, for as long as the block lasts, and how to reach them."""
    start_local(home, Ports.free(), how)
    try:
        found = {**os.environ, **environment(home)}
        graph = Graph(
            GraphSettings(
                uri=found["NEO4J_URI"],
                user=found.get("NEO4J_USER", "neo4j"),
                password=SecretStr(found["NEO4J_PASSWORD"]) if "NEO4J_PASSWORD" in found else None,
            )
        )
        try:
            yield graph, found
        finally:
            graph.close()
    finally:
        stop_local(home)

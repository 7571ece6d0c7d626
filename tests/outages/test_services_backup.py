"""Backups of Neo4j's Community edition: cold, whole, and tried."""

import json
import os
import tarfile
import time
from pathlib import Path

import pytest
from neo4j import ManagedTransaction

from graph import migrations, tombstones
from graph.client import Graph
from graph.domain.ids import UserId
from graph.settings import GraphSettings
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.stream import EventStream
from workers.local import Ports, Starting, environment, start_local, stop_local
from workers.local.backup import back_up, restore
from workers.local.errors import BackupRefused, FolderHeld
from workers.privacy.build import erasures_of
from workers.privacy.older_folder import restore_again

HOW = Starting(started_by="a test", ends_with_parent=True, for_tests=True)
NOW = 1_772_352_000_000


class Running:
    """The services of a folder, while they run."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __enter__(self) -> "Running":
        start_local(self._home, Ports.free(), HOW)
        found = os.environ | environment(self._home)
        self.graph = Graph(GraphSettings(uri=found["NEO4J_URI"]))
        self.stream = EventStream(found["REDIS_URL"])
        return self

    def __exit__(self, *_: object) -> None:
        self.graph.close()
        stop_local(self._home)


def _fill(tx: ManagedTransaction) -> None:
    tx.run("UNWIND range(1, 500) AS n MERGE (:User {user_id: 'u' + n, idx: n})").consume()
    tx.run(
        "MATCH (u:User) MERGE (i:Item {item_id: 'i'}) CREATE (u)-[:VIEWED {event_id: u.idx}]->(i)"
    )


def _empty(tx: ManagedTransaction) -> None:
    tx.run("MATCH (n:User) DETACH DELETE n").consume()


def _people(tx: ManagedTransaction) -> tuple[int, int]:
    found = tx.run("MATCH (u:User)-[r:VIEWED]->() RETURN count(r) AS n, sum(u.idx) AS sum")
    record = found.single(strict=True)
    return record["n"], record["sum"]


def test_d9_a_cold_backup_of_the_community_edition_comes_back_whole(
    local_home: Path, tmp_path: Path
) -> None:
    """Graph, constraints, stream; and a running server is refused, as are other keys."""
    file = tmp_path / "backup.tar.gz"
    with Running(local_home) as before:
        migrations.apply(before.graph, owner="test", now_ms=NOW)
        before.graph.write(_fill)
        before.stream.append([], bookmark=("an import", "line 7"))
        with pytest.raises(FolderHeld):
            back_up(local_home, file, now_ms=NOW)
    back_up(local_home, file, now_ms=NOW)
    assert file.stat().st_mode & 0o077 == 0
    with tarfile.open(file) as archive:
        assert not [name for name in archive.getnames() if "secret" in name]
    with pytest.raises(BackupRefused, match="exists"):
        back_up(local_home, file, now_ms=NOW)

    with Running(local_home) as spoiled:
        spoiled.graph.write(_empty)
        spoiled.stream.append([], bookmark=("an import", "line 9"))
        with pytest.raises(FolderHeld):
            restore(local_home, file, replace=True)
    with pytest.raises(BackupRefused, match="--replace"):
        restore(local_home, file)
    assert restore(local_home, file, replace=True).made_ms == NOW

    with Running(local_home) as after:
        assert after.graph.read(_people) == (500, 500 * 501 // 2)
        assert after.stream.bookmark("an import") == "line 7"
        migrations.verify(after.graph)


def test_a_backup_made_with_other_keys_is_refused(local_home: Path, tmp_path: Path) -> None:
    """Its pseudonyms would belong to nobody, and its login would not work."""
    file = tmp_path / "backup.tar.gz"
    data = local_home / "neo4j" / "data"
    data.mkdir(parents=True)
    (data / "store").write_text("nodes")
    back_up(local_home, file, now_ms=NOW)
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(BackupRefused, match="other keys"):
        restore(elsewhere, file)
    (elsewhere / "secrets.json").write_bytes((local_home / "secrets.json").read_bytes())
    restore(elsewhere, file)
    assert (elsewhere / "neo4j" / "data" / "store").read_text() == "nodes"


@pytest.mark.parametrize("content", [b"", b"not a backup", b"\x1f\x8b\x08\x00half"])
def test_what_is_no_backup_changes_nothing(
    local_home: Path, tmp_path: Path, content: bytes
) -> None:
    """The graph that is there stays."""
    file = tmp_path / "backup.tar.gz"
    file.write_bytes(content)
    data = local_home / "neo4j" / "data"
    data.mkdir(parents=True)
    with pytest.raises(BackupRefused):
        restore(local_home, file, replace=True)
    assert data.is_dir()


def test_an_archive_of_something_else_is_refused(local_home: Path, tmp_path: Path) -> None:
    """Also one that would write outside of the folder."""
    file, stray = tmp_path / "backup.tar.gz", tmp_path / "stray"
    stray.write_text(json.dumps({"made": time.time()}))
    with tarfile.open(file, "w:gz") as archive:
        archive.add(stray, "../stray")
    with pytest.raises(BackupRefused):
        restore(local_home, file)


def test_m5_who_was_erased_after_a_cold_backup_is_erased_again_by_its_restore(
    local_home: Path, tmp_path: Path
) -> None:
    """The mark is read from the graph that is thrown away; others come back as they were."""
    file = tmp_path / "backup.tar.gz"
    with Running(local_home) as before:
        migrations.apply(before.graph, owner="test", now_ms=NOW)
        before.graph.write(_fill)
    back_up(local_home, file, now_ms=NOW)
    with Running(local_home) as later:
        found = os.environ | environment(local_home)
        pseudonyms = Pseudonyms(b"p" * 32, bytes(range(64)))
        erasing = erasures_of(later.graph, found["REDIS_URL"], pseudonyms, local_home / "models")
        erasing.erase(UserId("u7"), by="test")
    restored, people = restore_again(local_home, file, replace=True, owner="test", how=HOW)
    assert (restored.made_ms, people) == (NOW, 1)
    with Running(local_home) as after:
        assert after.graph.read(_people) == (499, 500 * 501 // 2 - 7)
        assert after.graph.read(tombstones.every) == ["u7"]

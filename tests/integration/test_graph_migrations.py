"""Migrations on a real graph: all of ours, and files made to go wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from graph import migrations
from graph.client import Graph
from graph.domain.events import ITEM_BEHAVIOURS
from graph.errors import GraphRejected, MigrationError, SchemaMissing

MADE_UP = "9001"


@pytest.fixture
def folder(tmp_path: Path, graph: Graph) -> Iterator[Path]:
    """A folder with our files and one more; what they leave in the books is taken out again."""
    for path in migrations.FOLDER.glob("*.cypher"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    yield tmp_path
    query = "MATCH (m:__Neo4jMigration) WHERE m.version >= $version DETACH DELETE m"
    graph.write(lambda tx: tx.run(query, version=MADE_UP).consume())


def add(folder: Path, text: str, version: str = MADE_UP) -> Path:
    path = folder / f"V{version}__made_up.cypher"
    path.write_text(text)
    return path


def run(graph: Graph, folder: Path, owner: str = "me", now_ms: int = 50) -> list[str]:
    done = migrations.apply(graph, owner=owner, now_ms=now_ms, folder=folder)
    return [migration.version for migration in done]


def people(graph: Graph) -> int:
    rows = graph.read(lambda tx: tx.run("MATCH (u:User) RETURN count(u) AS n").data())
    return int(rows[0]["n"])


def test_every_event_type_has_its_constraint_and_index(graph: Graph) -> None:
    rows = graph.read(lambda tx: tx.run("SHOW INDEXES YIELD name, state RETURN *").data())
    states = {row["name"]: row["state"] for row in rows}
    types = [one.relationship.lower() for one in ITEM_BEHAVIOURS.values()]
    for name in (*types, "searched", "saw", "same_as"):
        assert states[f"{name}_event"] == states[f"{name}_seq"] == "ONLINE"


def test_a_second_run_has_nothing_to_do(graph: Graph) -> None:
    assert migrations.apply(graph, owner="me", now_ms=1) == []
    assert migrations.pending(graph) == []
    migrations.verify(graph)


@pytest.mark.parametrize(
    ("mode", "statement"),
    [
        ("data", "CREATE (:User {user_id: 'a;b'});"),
        ("auto", "UNWIND [1] AS n CALL (n) { CREATE (:User {user_id: 'a'}) } IN TRANSACTIONS;"),
    ],
)
def test_a_migration_runs_once_and_is_in_the_books(
    graph: Graph, folder: Path, mode: str, statement: str
) -> None:
    add(folder, f"// mode: {mode}\n{statement}\n")
    with pytest.raises(SchemaMissing, match=MADE_UP):
        migrations.verify(graph, folder)
    assert [one.version for one in migrations.pending(graph, folder)] == [MADE_UP]
    assert run(graph, folder) == [MADE_UP]
    assert run(graph, folder) == []
    assert people(graph) == 1
    last = migrations.status(graph, folder)[-1]
    assert (last.migration.version, last.applied_at) == (MADE_UP, 50)


def test_a_failing_data_migration_changes_nothing_and_frees_the_lock(
    graph: Graph, folder: Path
) -> None:
    path = add(folder, "// mode: data\nCREATE (:User {user_id: 'a'});\nRETURN 1 / 0;\n")
    with pytest.raises(GraphRejected):
        run(graph, folder)
    assert people(graph) == 0
    path.write_text("// mode: data\nCREATE (:User {user_id: 'a'});\n")
    assert run(graph, folder, owner="another") == [MADE_UP]


def test_an_applied_file_may_not_change(graph: Graph, folder: Path) -> None:
    path = add(folder, "// mode: data\nRETURN 1;\n")
    run(graph, folder)
    path.write_text("// mode: data\r\nRETURN 1;  \r\n")
    assert run(graph, folder) == [], "line ends and trailing blanks do not count"
    path.write_text("// mode: data\nRETURN 2;\n")
    with pytest.raises(MigrationError, match="changed"):
        run(graph, folder)


def test_a_graph_ahead_of_the_program_is_left_alone(graph: Graph, folder: Path) -> None:
    path = add(folder, "// mode: data\nRETURN 1;\n")
    run(graph, folder)
    path.unlink()
    with pytest.raises(MigrationError, match="unknown here"):
        run(graph, folder)


def test_a_file_older_than_an_applied_one_is_refused(graph: Graph, folder: Path) -> None:
    add(folder, "// mode: data\nRETURN 1;\n", version="9002")
    run(graph, folder)
    add(folder, "// mode: data\nRETURN 1;\n", version="9001")
    with pytest.raises(MigrationError, match="older"):
        run(graph, folder)


def test_one_runner_at_a_time_until_its_lock_expires(graph: Graph, folder: Path) -> None:
    add(folder, "// mode: data\nRETURN 1;\n")
    graph.write(migrations._lock, owner="crashed", now_ms=0)
    with pytest.raises(MigrationError, match="another runner"):
        run(graph, folder, now_ms=migrations.LOCK_MS - 1)
    assert run(graph, folder, now_ms=migrations.LOCK_MS) == [MADE_UP]

"""The migration files, without a server."""

from pathlib import Path

import pytest

from graph import migrations
from graph.edges import COLUMNS, EDGES
from graph.errors import MigrationError


def texts() -> str:
    return "\n".join(statement for one in migrations.migrations() for statement in one.statements)


def test_ours_are_found_in_order() -> None:
    found = migrations.migrations()
    assert [one.version for one in found] == sorted(one.version for one in found)
    assert found[0].source == "V0001__nodes_are_unique.cypher"


@pytest.mark.parametrize("edge", EDGES.values(), ids=lambda edge: edge.relationship)
def test_every_event_type_has_a_constraint_and_an_index(edge: object) -> None:
    type_ = edge.relationship  # type: ignore[attr-defined]
    text = texts()
    assert f"FOR ()-[r:{type_}]-() REQUIRE r.event_id IS UNIQUE" in text
    assert f"FOR ()-[r:{type_}]-() ON (r.seq)" in text


@pytest.mark.parametrize("column", COLUMNS)
def test_every_property_of_an_event_has_its_name_in_the_graph(column: str) -> None:
    assert f"db.createProperty('{column}')" in texts()


def test_schema_statements_may_run_twice() -> None:
    schema = [one for one in migrations.migrations() if one.mode == "schema"]
    statements = [statement for one in schema for statement in one.statements]
    assert all("IF NOT EXISTS" in statement for statement in statements)


@pytest.mark.parametrize("name", ["V1__a.cypher", "V0001_a.cypher", "V0001__A.cypher", "x.cypher"])
def test_a_wrong_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("// mode: data\nRETURN 1;")
    with pytest.raises(MigrationError, match="name"):
        migrations.migrations(tmp_path)


def test_a_version_twice_is_refused(tmp_path: Path) -> None:
    for name in ("V0001__a.cypher", "V0001__b.cypher"):
        (tmp_path / name).write_text("// mode: data\nRETURN 1;")
    with pytest.raises(MigrationError, match="same version"):
        migrations.migrations(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "V0001__a.cypher").write_text("// mode: data\n")
    with pytest.raises(MigrationError, match="no statement"):
        migrations.migrations(tmp_path)

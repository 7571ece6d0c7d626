"""Brings the graph's constraints, indexes and names up to date, one numbered file at a time."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from neo4j import ManagedTransaction

from graph.client import Graph
from graph.cypher_files import Mode, mode_of, normalised, statements_of
from graph.errors import MigrationError, SchemaMissing
from graph.restores import must_be_over

log = structlog.get_logger(__name__)

FOLDER = Path(__file__).resolve().parent.parent / "migrations"
LOCK_MS = 10 * 60 * 1000
"""A runner that died holds the lock this long."""

_PREPARATION = (
    "CREATE CONSTRAINT migration_lock IF NOT EXISTS "
    "FOR (lock:__Neo4jMigrationsLock) REQUIRE lock.id IS UNIQUE",
    "CREATE CONSTRAINT migration_version IF NOT EXISTS "
    "FOR (m:__Neo4jMigration) REQUIRE m.version IS UNIQUE",
    "CALL db.createRelationshipType('MIGRATED_TO')",
    "CALL db.createProperty('owner')",
    "CALL db.createProperty('until_ms')",
)

_NAME = re.compile(r"V(\d{4})__([a-z0-9_]+)\.cypher")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: what it does, how it runs, and the checksum of its text."""

    version: str
    description: str
    source: str
    mode: Mode
    statements: tuple[str, ...]
    checksum: str


@dataclass(frozen=True, slots=True)
class AppliedOrPending:
    """A migration and when it was applied, milliseconds UTC; ``None`` while it is pending."""

    migration: Migration
    applied_at: int | None


def migrations(folder: Path | None = None) -> list[Migration]:
    """
    All migrations, in order.

    Raises:
        MigrationError: a file has a wrong name, no mode, or a version twice.
    """
    found = [_read(path) for path in sorted((folder or FOLDER).glob("*.cypher"))]
    versions = [migration.version for migration in found]
    if len(set(versions)) < len(versions):
        raise MigrationError("two migration files have the same version")
    return found


def status(graph: Graph, folder: Path | None = None) -> list[AppliedOrPending]:
    """
    Every migration, with the time it was applied.

    Raises:
        MigrationError: an applied file has changed since, or the graph is ahead of this program.
    """
    books = graph.read(_books)
    known = migrations(folder)
    ahead = books.keys() - {migration.version for migration in known}
    if ahead:
        raise MigrationError(f"the graph has migrations unknown here: {', '.join(sorted(ahead))}")
    for migration in known:
        entry = books.get(migration.version)
        if entry is not None and entry["checksum"] != migration.checksum:
            raise MigrationError(f"{migration.source} has changed since it was applied")
    return [AppliedOrPending(one, _applied_at(books.get(one.version))) for one in known]


def pending(graph: Graph, folder: Path | None = None) -> list[Migration]:
    """
    What ``apply`` would do: the dry run.

    Raises:
        MigrationError: see ``status``; or a pending file is older than an applied one.
    """
    states = status(graph, folder)
    waiting = [state.migration for state in states if state.applied_at is None]
    applied = [state.migration.version for state in states if state.applied_at is not None]
    if waiting and applied and waiting[0].version < applied[-1]:
        raise MigrationError(f"{waiting[0].source} is older than V{applied[-1]}, already applied")
    return waiting


def apply(graph: Graph, *, owner: str, now_ms: int, folder: Path | None = None) -> list[Migration]:
    """
    Apply what is pending, one runner at a time.

    Returns:
        The migrations applied now; empty when there was nothing to do.

    Raises:
        MigrationError: another runner is at work, or the files are not as they were.
    """
    for statement in _PREPARATION:
        graph.run_alone(statement)
    graph.write(_lock, owner=owner, now_ms=now_ms)
    try:
        todo = pending(graph, folder)
        for migration in todo:
            _RUN[migration.mode](graph, migration)
            graph.write(_record, migration, owner=owner, now_ms=now_ms)
            log.info("migration_applied", source=migration.source)
    finally:
        graph.write(_unlock, owner=owner)
    return todo


def verify(graph: Graph, folder: Path | None = None) -> None:
    """
    Make sure that the graph has its constraints and indexes, and all of what was put back.

    Raises:
        SchemaMissing: some migration has not been applied.
        RestoreUnfinished: a restore was begun and has not ended.
    """
    books = graph.read(_books)
    missing = [one.source for one in migrations(folder) if one.version not in books]
    if missing:
        raise SchemaMissing(f"migrations not applied: {', '.join(missing)}")
    graph.read(must_be_over)


def change_again(graph: Graph, *, after: str, folder: Path | None = None) -> None:
    """
    Change data that comes from an older graph as the migrations after a version changed ours.

    Args:
        after: the newest version that the data has seen.
    """
    for migration in migrations(folder):
        if migration.version > after and migration.mode != "schema":
            _RUN[migration.mode](graph, migration)


def _read(path: Path) -> Migration:
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise MigrationError(f"{path.name}: the name must be like V0001__what_it_does.cypher")
    text = path.read_text(encoding="utf-8")
    statements = tuple(statements_of(text))
    if not statements:
        raise MigrationError(f"{path.name} holds no statement")
    return Migration(
        version=name[1],
        description=name[2].replace("_", " "),
        source=path.name,
        mode=mode_of(text, path.name),
        statements=statements,
        checksum=hashlib.sha256(normalised(text).encode()).hexdigest(),
    )


def _applied_at(entry: dict[str, Any] | None) -> int | None:
    return None if entry is None else int(entry["at"])


def _run_schema(graph: Graph, migration: Migration) -> None:
    _run_auto(graph, migration)
    graph.run_alone("CALL db.awaitIndexes(300)")


def _run_data(graph: Graph, migration: Migration) -> None:
    graph.write(_run_statements, migration.statements)


def _run_auto(graph: Graph, migration: Migration) -> None:
    for statement in migration.statements:
        graph.run_alone(statement)


_RUN: dict[Mode, Callable[[Graph, Migration], None]] = {
    "schema": _run_schema,
    "data": _run_data,
    "auto": _run_auto,
}


def _run_statements(tx: ManagedTransaction, statements: tuple[str, ...]) -> None:
    for statement in statements:
        tx.run(statement).consume()


def _books(tx: ManagedTransaction) -> dict[str, dict[str, Any]]:
    # Asking for a label that nothing has used yet makes the server warn.
    labels = {row["label"] for row in tx.run("CALL db.labels() YIELD label RETURN label")}
    if "__Neo4jMigration" not in labels:
        return {}
    rows = tx.run("MATCH (m:__Neo4jMigration) RETURN properties(m) AS migration")
    entries = [row["migration"] for row in rows]
    return {str(one["version"]): one for one in entries if one["version"] != "BASELINE"}


def _lock(tx: ManagedTransaction, *, owner: str, now_ms: int) -> None:
    record = tx.run(
        """
        MERGE (lock:__Neo4jMigrationsLock {id: 'shopgraph'})
        ON CREATE SET lock.owner = $owner, lock.until_ms = $until_ms
        WITH lock, lock.owner = $owner OR lock.until_ms <= $now_ms AS is_ours
        FOREACH (_ IN CASE WHEN is_ours THEN [1] ELSE [] END |
            SET lock.owner = $owner, lock.until_ms = $until_ms)
        RETURN is_ours
        """,
        owner=owner,
        now_ms=now_ms,
        until_ms=now_ms + LOCK_MS,
    ).single(strict=True)
    if not record["is_ours"]:
        raise MigrationError("another runner is applying migrations")


def _unlock(tx: ManagedTransaction, *, owner: str) -> None:
    tx.run(
        "MATCH (lock:__Neo4jMigrationsLock {id: 'shopgraph', owner: $owner}) DELETE lock",
        owner=owner,
    ).consume()


def _record(tx: ManagedTransaction, migration: Migration, *, owner: str, now_ms: int) -> None:
    tx.run(
        """
        MERGE (:__Neo4jMigration {version: 'BASELINE'})
        WITH 1 AS one
        MATCH (last:__Neo4jMigration) WHERE NOT (last)-[:MIGRATED_TO]->()
        MERGE (next:__Neo4jMigration {version: $version})
        SET next += $about
        MERGE (last)-[:MIGRATED_TO {at: $at, by: $by}]->(next)
        """,
        version=migration.version,
        about={
            "description": migration.description,
            "type": "CYPHER",
            "source": migration.source,
            "checksum": migration.checksum,
            "at": now_ms,
        },
        at=now_ms,
        by=owner,
    ).consume()

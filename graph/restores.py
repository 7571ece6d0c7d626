"""
Puts a graph back from rows, so that one that was cut short goes on where it stopped.

While it lasts, a node says how far it is; each batch moves it on in its own transaction, so a
batch is written once whatever happens. Programs that start meanwhile refuse to work.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from neo4j import ManagedTransaction

from graph.client import Graph
from graph.counts import quoted
from graph.errors import GraphRejected, RestoreUnfinished
from graph.property_values import from_json
from graph.tombstones import RECORDS

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Restoring:
    """
    How far a restore is.

    Attributes:
        source: a hash of what is put back.
        stage: ``clearing``, ``loading``, ``changing`` what is older, ``erasing`` who was erased.
        file, line: what is written: the files before this one, and so many lines of it.
        left_out: edges, by type, one of whose ends had been removed while they were exported.
    """

    source: str
    stage: str = "loading"
    file: int = 0
    line: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


def state(tx: ManagedTransaction) -> Restoring | None:
    """The restore that was begun and has not ended."""
    record = tx.run("MATCH (r:__ShopgraphRestore) RETURN r.state AS state").single()
    return None if record is None else Restoring(**json.loads(record["state"]))


def must_be_over(tx: ManagedTransaction) -> None:
    """Raises ``RestoreUnfinished`` while a graph is being put back."""
    if state(tx) is not None:
        raise RestoreUnfinished("a restore was begun and has not ended; run it again to go on")


def at_work(tx: ManagedTransaction, *, now_ms: int) -> list[str]:
    """What is being done on this graph by whoever holds a lease now."""
    query = "MATCH (lease:Lease) WHERE lease.until_ms > $now_ms RETURN lease.name AS name"
    return sorted(tx.run(query, now_ms=now_ms).value())


def note(tx: ManagedTransaction, now: Restoring) -> Restoring:
    """Keep how far it is."""
    tx.run(
        "MERGE (r:__ShopgraphRestore {id: 'shopgraph'}) SET r.state = $state",
        state=json.dumps(asdict(now), sort_keys=True),
    ).consume()
    return now


def end(tx: ManagedTransaction) -> None:
    """The graph is whole: it may be served."""
    tx.run("MATCH (r:__ShopgraphRestore) DELETE r").consume()


def clear(graph: Graph) -> None:
    """Take all out but the records of erasures, and the books of the schema and the restore."""
    graph.run_alone(
        f"""
        MATCH (n)
        WHERE none(label IN labels(n) WHERE label IN {[*RECORDS]} OR label STARTS WITH '__')
        CALL (n) {{ DETACH DELETE n }} IN TRANSACTIONS OF 1000 ROWS
        """
    )


def put_nodes(
    tx: ManagedTransaction,
    label: str,
    key: Sequence[str],
    rows: Sequence[Row],
    *,
    before: Restoring,
) -> Restoring:
    """Write nodes of one label; one that is there gets these properties in place of its own."""
    if (done := _already(tx, before, len(rows))) is not None:
        return done
    groups = defaultdict[tuple[str, ...], list[list[Any]]](list)
    for row in rows:
        properties = from_json(row["properties"])
        groups[tuple(row["labels"])].append([[properties[one] for one in key], properties])
    for labels, group in groups.items():
        others = "".join(f", n:{quoted(one)}" for one in labels if one != label)
        node = f"n:{quoted(label)} {{{_named(key, 0)}}}"
        tx.run(f"UNWIND $rows AS row MERGE ({node}) SET n = row[1]{others}", rows=group).consume()
    return note(tx, replace(before, line=before.line + len(rows)))


def put_edges(
    tx: ManagedTransaction,
    type_: str,
    keys: Mapping[str, Sequence[str]],
    rows: Sequence[Row],
    *,
    before: Restoring,
) -> Restoring:
    """Write edges of one type between nodes that are there; others are counted as left out."""
    if (done := _already(tx, before, len(rows))) is not None:
        return done
    groups = defaultdict[tuple[str, str], list[list[Any]]](list)
    for row in rows:
        (label, *start), (end_label, *end_) = row["from"], row["to"]
        groups[label, end_label].append([start, end_, from_json(row["properties"])])
    created = 0
    for (label, end_label), group in groups.items():
        summary = tx.run(
            f"""
            UNWIND $rows AS row
            MATCH (a:{quoted(label)} {{{_named(keys[label], 0)}}})
            MATCH (b:{quoted(end_label)} {{{_named(keys[end_label], 1)}}})
            CREATE (a)-[r:{quoted(type_)}]->(b) SET r = row[2]
            """,
            rows=group,
        ).consume()
        created += summary.counters.relationships_created
    now = replace(before, line=before.line + len(rows))
    if created < len(rows):
        missing = before.left_out.get(type_, 0) + len(rows) - created
        now = replace(now, left_out={**before.left_out, type_: missing})
    return note(tx, now)


def _named(key: Sequence[str], column: int) -> str:
    return ", ".join(f"{quoted(one)}: row[{column}][{k}]" for k, one in enumerate(key))


def _already(tx: ManagedTransaction, before: Restoring, lines: int) -> Restoring | None:
    """How far it is, if this batch is written; the driver may send one twice."""
    tx.run("MATCH (r:__ShopgraphRestore) SET r.id = r.id").consume()  # two restores take turns
    now = state(tx)
    if now == before:
        return None
    if now is not None and (now.file, now.line) == (before.file, before.line + lines):
        return now
    raise GraphRejected("another restore is at work on this graph")

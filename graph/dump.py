"""
Reads the whole graph, section by section, in an order in which it can be put down and taken up.

Edges of events come in order of ``seq`` up to a fixed number; nodes and the other edges by the key
of a node: the property of its label that a constraint makes unique. Both are ranges of an index,
so neither the server nor the driver holds more than it is reading.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from neo4j import ManagedTransaction

from graph.counters import COUNTER
from graph.counts import counts, quoted
from graph.errors import GraphRejected
from graph.property_values import to_json

Keys = Mapping[str, tuple[str, ...]]
"""Label to the properties that name one of its nodes."""

Place = list[Any]
"""Where a section is: the last ``seq``, or the key of the last node."""

VECTORS = "embedding_"
"""How the names of properties with vectors begin."""


class Section(NamedTuple):
    """
    A part of the graph that is read in one order.

    Attributes:
        kind: ``events`` are edges with a ``seq``; ``rest`` those of the same types without one;
            ``edges`` those of types that know none.
        label: of the nodes, or of the nodes at which the edges start; empty for events.
        type: of the edges; empty for nodes.
    """

    kind: Literal["events", "rest", "edges", "nodes"]
    label: str
    type: str


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is to be read.

    Attributes:
        database: the server's own name for its data; another graph has another.
        keys: every label whose nodes are read.
        upper: events up to this ``seq`` are read.
    """

    database: str
    keys: Keys
    upper: int
    sections: tuple[Section, ...]


def plan(tx: ManagedTransaction, *, upper: int) -> Plan:
    """
    Look at what is in the graph; edges come before nodes, so that the ends of all edges are read.

    Raises:
        GraphRejected: some node has no key, so it could not be found again.
    """
    keys = _keys(tx)
    _must_have_keys(tx, keys)
    found = counts(tx)
    logged = _logged_types(tx)
    sections = [Section("events", "", one) for one in logged if one in found.relationships]
    for type_ in found.relationships:
        starts = _starts(tx, type_, keys)
        if type_ not in logged:
            sections += [Section("edges", label, type_) for label in starts]
        elif _has_rest(tx, type_):
            sections += [Section("rest", label, type_) for label in starts]
    # Counters come last: no number they give later may be one that is in the files.
    labels = sorted(keys.keys() & found.nodes.keys(), key=lambda label: (label == COUNTER, label))
    sections += [Section("nodes", label, "") for label in labels]
    return Plan(database(tx), keys, upper, tuple(sections))


def database(tx: ManagedTransaction) -> str:
    """The server's own name for its data."""
    return str(tx.run("CALL db.info() YIELD id RETURN id").single(strict=True)["id"])


def read(
    tx: ManagedTransaction,
    section: Section,
    *,
    keys: Keys,
    upper: int,
    after: Place | None,
    limit: int,
    with_vectors: bool = True,
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """
    What follows a place, with the places: nodes and events at most ``limit``, edges without end.

    A node is ``labels`` and ``properties``; an edge is ``from``, ``to`` and ``properties``, and its
    ends are a label and the values of that label's key.
    """
    earlier = [label for label in sorted(keys) if label < section.label]
    query = statement(section, keys.get(section.label, ()), is_first=after is None)
    named = {label: list(key) for label, key in keys.items()}
    rows = tx.run(query, after=after, upper=upper, limit=limit, earlier=earlier, keys=named)
    for row in rows:
        properties = to_json(row["properties"])
        if not with_vectors:
            properties = {k: v for k, v in properties.items() if not k.startswith(VECTORS)}
        if section.kind == "nodes":
            yield row["place"], {"labels": sorted(row["labels"]), "properties": properties}
            continue
        if row["start"] is None or row["end"] is None:
            raise GraphRejected(f"an edge {section.type} ends at a node without a key")
        yield row["place"], {"from": row["start"], "to": row["end"], "properties": properties}


def statement(section: Section, key: tuple[str, ...], *, is_first: bool) -> str:
    """The query of a section; names cannot be parameters, these come from the graph itself."""
    if section.kind == "events":
        place = "r.seq <= $upper" if is_first else "r.seq > $after[0] AND r.seq <= $upper"
        return f"""
            MATCH (n)-[r:{quoted(section.type)}]->(end) WHERE {place}
            WITH n, r, end ORDER BY r.seq LIMIT $limit
            RETURN [r.seq] AS place, {_name("n")} AS start, {_name("end")} AS end,
                   properties(r) AS properties
        """
    names = [f"n.{quoted(one)}" for one in key]
    place = _known(names) if is_first else _beyond(names)
    # A node with two labels belongs to the first of them, so that it is read once.
    nodes = f"""
        MATCH (n:{quoted(section.label)})
        WHERE {place} AND none(label IN labels(n) WHERE label IN $earlier)
    """
    order = ", ".join(names)
    if section.kind == "nodes":
        return f"""{nodes} AND (n.seq IS NULL OR n.seq <= $upper)
            WITH n ORDER BY {order} LIMIT $limit
            RETURN [{order}] AS place, labels(n) AS labels, properties(n) AS properties
        """
    rest = "WHERE r.seq IS NULL" if section.kind == "rest" else ""
    return f"""{nodes}
        MATCH (n)-[r:{quoted(section.type)}]->(end) {rest}
        RETURN [{order}] AS place, {_name("n")} AS start, {_name("end")} AS end,
               properties(r) AS properties ORDER BY {order}
    """


def _name(node: str) -> str:
    return (
        f"head([label IN labels({node}) WHERE $keys[label] IS NOT NULL |"
        f" [label] + [key IN $keys[label] | {node}[key]]])"
    )


def _known(names: list[str]) -> str:
    return " AND ".join(f"{name} IS NOT NULL" for name in names)


def _beyond(names: list[str]) -> str:
    beyond = ""
    for place, name in reversed(list(enumerate(names))):
        further = f" OR ({name} = $after[{place}] AND {beyond})" if beyond else ""
        beyond = f"({name} > $after[{place}]{further})"
    return f"{names[0]} >= $after[0] AND {beyond}"


def _keys(tx: ManagedTransaction) -> dict[str, tuple[str, ...]]:
    """The properties of the oldest uniqueness constraint of each label."""
    rows = tx.run(
        """
        SHOW CONSTRAINTS YIELD id, type, entityType, labelsOrTypes, properties
        WHERE entityType = 'NODE' AND (type ENDS WITH 'UNIQUENESS' OR type = 'NODE_KEY')
        RETURN labelsOrTypes[0] AS label, properties ORDER BY id DESC
        """
    )
    found = {row["label"]: tuple(row["properties"]) for row in rows}
    return {label: key for label, key in sorted(found.items()) if label[:2] != "__"}


def _must_have_keys(tx: ManagedTransaction, keys: Keys) -> None:
    for label, key in keys.items():
        kinds = ", ".join(f"valueType(n.{quoted(one)})" for one in key)
        rows = tx.run(f"MATCH (n:{quoted(label)}) RETURN DISTINCT [{kinds}] AS kinds").value()
        if len(rows) > 1 or any(kind not in _KEY_KINDS for kinds in rows for kind in kinds):
            raise GraphRejected(f"nodes {label} have no {' and '.join(key)} to be named by")
    others = tx.run(
        """
        MATCH (n)
        WHERE none(label IN labels(n) WHERE label IN $labels OR label STARTS WITH '__')
        RETURN DISTINCT labels(n) AS labels LIMIT 1
        """,
        labels=list(keys),
    ).single()
    if others is not None:
        told = ":".join(others["labels"]) or "without a label"
        raise GraphRejected(f"nodes {told} have no unique key; give them one in a migration")


_KEY_KINDS = frozenset({"STRING NOT NULL", "INTEGER NOT NULL"})


def _logged_types(tx: ManagedTransaction) -> list[str]:
    rows = tx.run(
        """
        SHOW INDEXES YIELD type, entityType, labelsOrTypes, properties
        WHERE type = 'RANGE' AND entityType = 'RELATIONSHIP' AND properties = ['seq']
        RETURN labelsOrTypes[0] AS type ORDER BY type
        """
    )
    return [row["type"] for row in rows]


def _has_rest(tx: ManagedTransaction, type_: str) -> bool:
    edge = f"()-[r:{quoted(type_)}]->()"
    record = tx.run(
        f"RETURN COUNT {{ {edge} }} > COUNT {{ {edge} WHERE r.seq IS NOT NULL }} AS has"
    ).single(strict=True)
    return bool(record["has"])


def _starts(tx: ManagedTransaction, type_: str, keys: Keys) -> list[str]:
    counted = ", ".join(f"COUNT {{ (:{quoted(one)})-[:{quoted(type_)}]->() }}" for one in keys)
    record = tx.run(f"RETURN [{counted}] AS counts").single(strict=True)
    return [label for label, n in zip(keys, record["counts"], strict=True) if n]

"""How each event type becomes an edge, and the statements that create edges in bulk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

from neo4j import ManagedTransaction

from graph.domain.events import FIELD_NAMES, ITEM_BEHAVIOURS, Event, EventType
from graph.errors import GraphRejected


@dataclass(frozen=True, slots=True)
class Edge:
    """
    The shape of one event type in the graph; it starts at a person.

    Attributes:
        start: field of the event with the id of the person at its start.
        label, key: the node at its end, and the property that names it.
        end: field of the event with the value of ``key``.
    """

    relationship: str
    start: str
    label: str
    key: str
    end: str


EDGES: dict[EventType, Edge] = {
    **{
        type_: Edge(behaviour.relationship, "user_id", "Item", "item_id", "item_id")
        for type_, behaviour in ITEM_BEHAVIOURS.items()
    },
    EventType.SEARCH: Edge("SEARCHED", "user_id", "Query", "text", "query"),
    EventType.IMPRESSION: Edge("SAW", "user_id", "Impression", "event_id", "event_id"),
    EventType.IDENTIFY: Edge("SAME_AS", "visitor_id", "User", "user_id", "user_id"),
}

_ELSEWHERE = {"type", "user_id", "item_id", "visitor_id", "user_ref", "query"} | {
    "shown_items",
    "shown_positions",
}
COLUMNS: tuple[str, ...] = tuple(name for name in FIELD_NAMES if name not in _ELSEWHERE)
"""Fields of an event that are properties of its edge, under the same name."""

_MULTIPLE = COLUMNS.index("flags")


def create(tx: ManagedTransaction, type_: EventType, numbered: Sequence[tuple[int, Event]]) -> None:
    """
    Create the edges of events of one type; people and end nodes must be there.

    Args:
        numbered: each event with its ``seq``.

    Raises:
        GraphRejected: an end was missing, so an edge would have been lost.
    """
    edge = EDGES[type_]
    names, rows = _table(edge, numbered)
    summary = tx.run(_statement(edge, names), rows=rows).consume()
    created = summary.counters.relationships_created
    if created != len(rows):
        raise GraphRejected(f"{created} of {len(rows)} {edge.relationship} edges were created")


def _table(
    edge: Edge, numbered: Sequence[tuple[int, Event]]
) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Rows of start, end, seq and the columns that at least one of the events uses."""
    end_of: Callable[[Event], Any] = attrgetter(edge.end, edge.start)
    ordered = sorted(numbered, key=lambda one: end_of(one[1]))  # one order of locks for all writers
    values = _values([event for _, event in ordered])
    used = [k for k, column in enumerate(values) if any(value is not None for value in column)]
    start_of: Callable[[Event], Any] = attrgetter(edge.start, edge.end)
    ends = zip(*(start_of(event) for _, event in ordered), strict=True)
    columns = [*ends, [seq for seq, _ in ordered], *(values[k] for k in used)]
    return tuple(COLUMNS[k] for k in used), [list(row) for row in zip(*columns, strict=True)]


def _values(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    of: Callable[[Event], tuple[Any, ...]] = attrgetter(*COLUMNS)
    columns: list[tuple[Any, ...]] = list(zip(*map(of, events), strict=True))
    columns[_MULTIPLE] = tuple(list(flags) or None for flags in columns[_MULTIPLE])
    return columns


@lru_cache(maxsize=512)
def _statement(edge: Edge, names: tuple[str, ...]) -> str:
    # Neo4j takes neither types nor names of properties as parameters; all come from our enums.
    properties = ", ".join(f"{name}: row[{k}]" for k, name in enumerate(("seq", *names), start=2))
    return f"""
        UNWIND $rows AS row
        MATCH (u:User {{user_id: row[0]}})
        MATCH (end:{edge.label} {{{edge.key}: row[1]}})
        CREATE (u)-[:{edge.relationship} {{{properties}}}]->(end)
    """

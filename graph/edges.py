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
    EventType.IDENTIFY: Edge("IDENTIFIED", "visitor_id", "User", "user_id", "user_id"),
}
RETURNED = Edge("RETURNED", "user_id", "Order", "order_id", "order_id")
"""The refund of a whole order: it names no line."""

ALL_EDGES: tuple[Edge, ...] = (*EDGES.values(), RETURNED)


def edge_of(event: Event) -> Edge:
    """The shape that an event takes in the graph."""
    if event.type is EventType.REFUND and event.item_id is None:
        return RETURNED
    return EDGES[event.type]


_ELSEWHERE = {"type", "user_id", "item_id", "visitor_id", "user_ref", "query"} | {
    "shown_items",
    "shown_positions",
}
COLUMNS: tuple[str, ...] = tuple(name for name in FIELD_NAMES if name not in _ELSEWHERE)
"""Fields of an event that are properties of its edge, under the same name."""

_PLACES = tuple(FIELD_NAMES.index(name) for name in COLUMNS)
_FLAGS = FIELD_NAMES.index("flags")


def create(tx: ManagedTransaction, edge: Edge, numbered: Sequence[tuple[int, Event]]) -> None:
    """
    Create the edges of events of one shape; people and end nodes must be there.

    Args:
        numbered: each event with its ``seq``.

    Raises:
        GraphRejected: an end was missing, so an edge would have been lost.
    """
    names, groups = _table(edge, numbered)
    summary = tx.run(_statement(edge, names), groups=groups).consume()
    created = summary.counters.relationships_created
    if created != len(numbered):
        raise GraphRejected(f"{created} of {len(numbered)} {edge.relationship} edges were created")


def _table(
    edge: Edge, numbered: Sequence[tuple[int, Event]]
) -> tuple[tuple[str, ...], list[list[Any]]]:
    """
    Rows of end, seq and the columns that at least one of the events uses, grouped by start.

    A person has several events in a batch, and looking each person up once saves a sixth of the
    time. One order of people and ends is one order of locks for all writers.
    """
    ends_of: Callable[[Event], Any] = attrgetter(edge.start, edge.end)
    ordered = sorted(numbered, key=lambda one: ends_of(one[1]))
    events = [event for _, event in ordered]
    values = _values(events)
    used = [k for k, column in enumerate(values) if column.count(None) < len(column)]
    columns = [
        map(attrgetter(edge.end), events),
        (seq for seq, _ in ordered),
        *(values[k] for k in used),
    ]
    groups: dict[str, list[tuple[Any, ...]]] = {}
    starts = map(attrgetter(edge.start), events)
    for start, row in zip(starts, zip(*columns, strict=True), strict=True):
        groups.setdefault(start, []).append(row)
    return tuple(COLUMNS[k] for k in used), [[start, rows] for start, rows in groups.items()]


def _values(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    columns = list(zip(*events, strict=True))
    columns[_FLAGS] = tuple(list(flags) or None for flags in columns[_FLAGS])
    return [columns[place] for place in _PLACES]


@lru_cache(maxsize=512)
def _statement(edge: Edge, names: tuple[str, ...]) -> str:
    # Neo4j takes neither types nor names of properties as parameters; all come from our enums.
    properties = ", ".join(f"{name}: row[{k}]" for k, name in enumerate(("seq", *names), start=1))
    return f"""
        UNWIND $groups AS group
        MATCH (u:User {{user_id: group[0]}})
        USING INDEX SEEK u:User(user_id)
        UNWIND group[1] AS row
        MATCH (end:{edge.label} {{{edge.key}: row[0]}})
        USING INDEX SEEK end:{edge.label}({edge.key})
        CREATE (u)-[:{edge.relationship} {{{properties}}}]->(end)
    """

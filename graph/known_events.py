"""Finds out which events the graph already has."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from neo4j import ManagedTransaction

from graph.domain.events import Event, EventType
from graph.domain.ids import EventId
from graph.edges import EDGES

OrderLine = tuple[str, str, int | None]
"""Order, item and number of the line: what a line is known by."""


@dataclass(frozen=True, slots=True)
class Content:
    """What two tellings of one event must agree on."""

    type: EventType
    start: str | None
    end: str | None
    ts: int


def content(event: Event) -> Content:
    """The content of an event as it is told."""
    edge = EDGES[event.type]
    return Content(event.type, getattr(event, edge.start), getattr(event, edge.end), event.ts)


def known(tx: ManagedTransaction, event_ids: list[EventId]) -> dict[EventId, Content]:
    """The stored content of those of the events that the graph has, whatever their type."""
    found: dict[EventId, Content] = {}
    for type_ in _types_in_use(tx):
        record = tx.run(_look_up(type_), ids=event_ids).single(strict=True)
        for event_id, start, end, ts in record["found"]:
            found[event_id] = Content(type_, start, end, ts)
    return found


def known_lines(tx: ManagedTransaction, order_ids: Iterable[str]) -> set[OrderLine]:
    """The lines that the graph has of these orders."""
    rows = tx.run(
        """
        UNWIND $orders AS order_id
        MATCH ()-[p:PURCHASED {order_id: order_id}]->(i)
        RETURN order_id, i.item_id AS item_id, p.line AS line
        """,
        orders=sorted(order_ids),
    )
    return {(row["order_id"], row["item_id"], row["line"]) for row in rows}


def _types_in_use(tx: ManagedTransaction) -> list[EventType]:
    # The store keeps these counts; they save a look-up per event for each type not in use.
    record = tx.run(_count_types()).single(strict=True)
    return [type_ for type_, n in zip(EDGES, record["counts"], strict=True) if n > 0]


@lru_cache(maxsize=1)
def _count_types() -> str:
    counts = ", ".join(f"COUNT {{ ()-[:{edge.relationship}]->() }}" for edge in EDGES.values())
    return f"RETURN [{counts}] AS counts"


@lru_cache(maxsize=len(EDGES))
def _look_up(type_: EventType) -> str:
    edge = EDGES[type_]
    return f"""
        UNWIND $ids AS id
        MATCH (u)-[e:{edge.relationship} {{event_id: id}}]->(end)
        RETURN collect([id, u.user_id, end.{edge.key}, e.ts]) AS found
    """

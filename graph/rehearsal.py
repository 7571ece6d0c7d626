"""Has the server plan the queries of an ingest batch before the first shopper waits for them."""

from neo4j import ManagedTransaction

from graph import events
from graph.client import Graph
from graph.domain.events import ITEM_BEHAVIOURS, Event, EventType
from graph.domain.ids import DeviceId, EventId, ItemId, UserId

ROUNDS = 2
"""The first plans, the second runs what was planned; after that a batch takes milliseconds."""


class _Enough(Exception):
    """Ends the rehearsal's transaction without a commit."""


def rehearse(graph: Graph) -> None:
    """
    Store one made-up event of each type, and take all of it back in the same transaction.

    On a server that has just started, the first batch takes seconds of planning; nobody waits
    for this one, and nobody ever sees its events.
    """
    for _ in range(ROUNDS):
        try:
            graph.write(_record_and_drop)
        except _Enough:
            continue


def _record_and_drop(tx: ManagedTransaction) -> None:
    events.record(tx, [_made_up(type_) for type_ in (*ITEM_BEHAVIOURS, EventType.SEARCH)])
    raise _Enough


def _made_up(type_: EventType) -> Event:
    is_search = type_ is EventType.SEARCH
    return Event(
        event_id=EventId(f"rehearsal|{type_}"),
        type=type_,
        user_id=UserId("v_rehearsal"),
        ts=0,
        received_ts=0,
        source="rehearsal",
        item_id=None if is_search else ItemId("rehearsal"),
        device_id=DeviceId("d_rehearsal"),
        query="rehearsal" if is_search else None,
    )

"""Stores batches of events as edges, each exactly once."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from neo4j import ManagedTransaction

from graph import (
    counters,
    devices,
    duplicates,
    edges,
    identities,
    items,
    refunds,
    tombstones,
    users,
)
from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId
from graph.known_events import OrderLine, known, known_lines, telling
from graph.plain_values import plain


@dataclass(frozen=True, slots=True)
class Recorded:
    """
    What became of a batch.

    Attributes:
        stored: events that are new in the graph.
        duplicates: events that it had already; nothing was changed.
        conflicts: events whose id is taken by other content; the first telling stays.
        last_seq: highest sequence number given so far.
        erased: events of people who were erased; nothing is kept of them.
        told_again: stored purchases that another source told before; they do not count.
    """

    stored: frozenset[EventId]
    duplicates: tuple[EventId, ...]
    conflicts: tuple[EventId, ...]
    last_seq: int
    erased: tuple[EventId, ...] = ()
    told_again: frozenset[EventId] = frozenset()


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One thing that a person did with an item."""

    type: EventType
    item_id: ItemId
    ts: int
    price_minor: int | None


@dataclass(slots=True)
class _Batch:
    """
    A batch on its way through ``record``: what is still to store, what was sorted out.

    Attributes:
        told_twice: orders that more than one source tells of.
    """

    new: list[Event] = field(default_factory=list)
    duplicates: list[EventId] = field(default_factory=list)
    conflicts: list[EventId] = field(default_factory=list)
    told_twice: set[str] = field(default_factory=set)


def record(tx: ManagedTransaction, events: Sequence[Event]) -> Recorded:
    """
    Store a batch of events and what follows from them; running it again changes nothing.

    The sequence numbers are taken inside the same transaction, so they grow in commit order.
    Writers take turns at that counter, which also makes the look-ups below safe.

    Raises:
        GraphRejected: an event holds a value of a kind that the graph does not take.
    """
    before = counters.take(tx, counters.EVENT_SEQ, 0)
    allowed, erased = _without_erased(tx, plain(events))
    batch = _sort_out(tx, allowed)
    last = _store(tx, batch.new, before)
    visitors = {one.visitor_id for one in batch.new if one.visitor_id is not None}
    if visitors:
        identities.derive(tx, visitors)
    told_again = duplicates.mark_orders(tx, batch.told_twice) if batch.told_twice else set()
    last = _take_back(tx, batch.new, last)
    counters.take(tx, counters.EVENT_SEQ, last - before)
    return Recorded(
        frozenset(event.event_id for event in batch.new),
        tuple(batch.duplicates),
        tuple(batch.conflicts),
        last,
        told_again=frozenset(EventId(event_id) for event_id in told_again),
        erased=erased,
    )


def _without_erased(
    tx: ManagedTransaction, events: Sequence[Event]
) -> tuple[Sequence[Event], tuple[EventId, ...]]:
    people = {event.user_id for event in events}
    people |= {event.visitor_id for event in events if event.visitor_id is not None}
    gone = tombstones.among(tx, people)
    if not gone:
        return events, ()
    barred = [event for event in events if event.user_id in gone or event.visitor_id in gone]
    ids = {event.event_id for event in barred}
    return [event for event in events if event.event_id not in ids], tuple(ids)


def _sort_out(tx: ManagedTransaction, events: Sequence[Event]) -> _Batch:
    """Keep as new what neither the graph nor an earlier event of the batch has."""
    batch = _Batch()
    told: dict[EventId, Event] = {}
    stored = known(tx, list({event.event_id for event in events}))
    lines = _known_lines(tx, events)
    for event in events:
        event_id = event.event_id
        earlier = stored.get(event_id) or (telling(told[event_id]) if event_id in told else None)
        if earlier is not None:
            is_same = earlier.agrees_with(telling(event))
            (batch.duplicates if is_same else batch.conflicts).append(event_id)
        elif (line := _line(event)) is not None and event.source in lines.get(line, ()):
            batch.duplicates.append(event_id)
        else:
            told[event_id] = event
            batch.new.append(event)
            if line is not None:
                lines.setdefault(line, set()).add(event.source)
    batch.told_twice = _told_twice(lines)
    return batch


def _told_twice(lines: Mapping[OrderLine, set[str]]) -> set[str]:
    """The orders of which more than one source tells."""
    sources: defaultdict[str, set[str]] = defaultdict(set)
    for (order_id, _, _), told_by in lines.items():
        sources[order_id] |= told_by
    return {order_id for order_id, told_by in sources.items() if len(told_by) > 1}


def _known_lines(tx: ManagedTransaction, events: Sequence[Event]) -> dict[OrderLine, set[str]]:
    orders = {
        event.order_id
        for event in events
        if event.type is EventType.PURCHASE and event.order_id is not None
    }
    return known_lines(tx, orders) if orders else {}


def _line(event: Event) -> OrderLine | None:
    if event.type is not EventType.PURCHASE or event.order_id is None or event.item_id is None:
        return None
    return (event.order_id, event.item_id, event.line)


def _take_back(tx: ManagedTransaction, new: Sequence[Event], last: int) -> int:
    """Store what follows for orders that were returned as a whole; returns the last number."""
    orders = refunds.orders_of(new)
    if not orders or not refunds.any_returned(tx):
        return last
    derived = refunds.derive(tx, orders)
    refunds.change(tx, derived.changed)
    if derived.new:
        numbered = list(enumerate(derived.new, start=last + 1))
        edges.create(tx, edges.EDGES[EventType.REFUND], numbered)
    return last + len(derived.new)


def _store(tx: ManagedTransaction, events: Sequence[Event], before: int) -> int:
    """Create nodes, then edges, numbered from ``before`` on; returns the last number."""
    if not events:
        return before
    users.meet(tx, _sightings(events))
    items.mention(tx, {event.item_id for event in events if event.item_id is not None})
    devices.note_use(tx, events)
    by_edge: defaultdict[edges.Edge, list[tuple[int, Event]]] = defaultdict(list)
    for seq, event in enumerate(events, start=before + 1):
        by_edge[edges.edge_of(event)].append((seq, event))
    for edge, numbered in by_edge.items():
        if edge.label == "Query":
            _ask(tx, {event.query for _, event in numbered if event.query is not None})
        elif edge.label == "Impression":
            _show(tx, numbered)
        elif edge.label == "Order":
            refunds.mention(tx, (one.order_id for _, one in numbered if one.order_id is not None))
        edges.create(tx, edge, numbered)
    return before + len(events)


def _sightings(events: Sequence[Event]) -> list[users.Sighting]:
    people: dict[UserId, users.Sighting] = {}
    for event in events:
        user_id = event.user_id
        one = people.get(user_id)
        if one is None:
            one = people[user_id] = users.Sighting(user_id=user_id)
        one.saw(event.ts)
        if event.user_ref is not None:
            one.ref = event.user_ref
        if "bot" in event.flags:
            one.is_bot = True
        if event.consent is not None:
            said = json.loads(event.consent)
            # Nobody decides after it was told.
            decided = min(said.get("at", event.ts), event.received_ts)
            one.agreed(said, decided, event.source)
        if event.visitor_id is not None:
            visitor = people.setdefault(event.visitor_id, users.Sighting(user_id=event.visitor_id))
            visitor.saw(event.ts)
    return list(people.values())


def _ask(tx: ManagedTransaction, texts: set[str]) -> None:
    tx.run("UNWIND $texts AS text MERGE (:Query {text: text})", texts=sorted(texts)).consume()


def _show(tx: ManagedTransaction, numbered: Sequence[tuple[int, Event]]) -> None:
    tx.run(
        """
        UNWIND $rows AS row
        CREATE (:Impression {event_id: row[0], ts: row[1], seq: row[2], item_ids: row[3],
                             positions: row[4], recommendation_id: row[5]})
        """,
        rows=[
            [
                event.event_id,
                event.ts,
                seq,
                list(event.shown_items or ()),
                None if event.shown_positions is None else list(event.shown_positions),
                event.recommendation_id,
            ]
            for seq, event in numbered
        ],
    ).consume()

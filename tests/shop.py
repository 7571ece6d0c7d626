"""A small shop with a known answer, as events: even people buy even items, odd people odd ones."""

import numpy as np

from graph import events as stored
from graph import items
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId

DAY_MS = 86_400_000
START_MS = 1_700_000_000_000

SMALL = {
    "dim": 16,
    "steps": 20,
    "neighbours": 8,
    "window_days": 20,
    "horizon_days": 3,
    "step_days": 3,
    "learning_rate": 5e-3,
    "batch_people": 8,
    "dropout": 0.25,
    "max_epochs": 4,
    "item2vec_epochs": 3,
    "bootstrap_draws": 20,
    "similar_min_events": 1,
    "similar_count": 5,
    "threads": 1,
    "stack_networks": 1,
    "stack_steps": 50,
}
"""Hyper-parameters under which the shop is learned in seconds."""


def person(number: int) -> UserId:
    """The pseudonym of a person of the shop."""
    return UserId(f"c_{number:022d}")


def event(number: int, who: UserId, item: int, kind: EventType, ts: int) -> Event:
    """One event on an item."""
    return Event(
        event_id=EventId(f"shop|{number}"),
        type=kind,
        user_id=who,
        ts=ts,
        received_ts=ts,
        source="shop",
        item_id=ItemId(f"item-{item}"),
        price_minor=100 + 10 * item,
        currency="EUR",
    )


def checkerboard(
    *, people: int = 30, goods: int = 20, days: int = 80, seed: int = 3
) -> list[Event]:
    """Everybody looks at anything every day, and buys only items of their own colour."""
    rng = np.random.default_rng(seed)
    told: list[Event] = []
    for day in range(days):
        for who in range(people):
            ts = START_MS + day * DAY_MS + int(rng.integers(0, 1380)) * 60_000
            seen, bought = int(rng.integers(0, goods)), 2 * int(rng.integers(0, goods // 2))
            told.append(event(len(told), person(who), seen, EventType.VIEW, ts))
            if rng.random() < 0.5:
                item = bought + who % 2
                told.append(event(len(told), person(who), item, EventType.PURCHASE, ts + 600_000))
    return told


def fill(graph: Graph, told: list[Event]) -> None:
    """Put catalogue and events into a graph."""
    names = sorted({one.item_id for one in told if one.item_id is not None})
    colour = {name: int(name.rpartition("-")[2]) % 2 for name in names}
    goods = [
        Item(item_id=name, title=name, categories=(f"colour/{colour[name]}",), updated_at=START_MS)
        for name in names
    ]
    graph.write(items.upsert, goods, now_ms=START_MS)
    for start in range(0, len(told), 5_000):
        graph.write(stored.record, told[start : start + 5_000])

"""What has risen, what is bought together, and whom an item is for, in a real graph."""

import pytest

from graph import events, items, trends, users
from graph.audience import audience
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId

HOUR = 3_600_000
NOW = 1_000 * HOUR
TEA, CUP, POT, FAR = (ItemId(name) for name in ("tea", "cup", "pot", "far"))


class Log:
    """Writes events of people, one after the other."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.n = 0

    def did(self, who: str, kind: EventType, item_id: ItemId, ts: int, **more: object) -> None:
        """One event."""
        self.n += 1
        event = Event(
            event_id=EventId(f"e{self.n}"), type=kind, user_id=UserId(who), ts=ts, received_ts=ts,
            source="web", item_id=item_id, user_ref="sealed", **more,  # type: ignore[arg-type]
        )  # fmt: skip
        self.graph.write(events.record, [event])


@pytest.fixture
def log(graph: Graph) -> Log:
    """A shop with four items."""
    filed = {TEA: "drinks", POT: "drinks", CUP: "ware/cups", FAR: "else"}
    told = [Item(item_id=item_id, categories=(path,)) for item_id, path in filed.items()]
    graph.write(items.upsert, told, now_ms=1)
    return Log(graph)


def risen(log: Log, **changes: object) -> list[tuple[str, float]]:
    asked = {"until_ms": NOW, "window_ms": HOUR, "limit": 10, "category": None} | changes
    return log.graph.read(trends.trending, **asked)  # type: ignore[arg-type]


def test_what_has_risen_most_against_the_windows_before_is_trending(log: Log) -> None:
    """Four views now against one each hour; a new item; one that everybody always views."""
    for k in range(4):
        log.did(f"c_{k}", EventType.VIEW, TEA, NOW - 10)
        log.did("c_0", EventType.VIEW, TEA, NOW - (k + 1) * HOUR - 10)
        log.did(f"c_{k}", EventType.VIEW, FAR, NOW - (k + 1) * HOUR - 10)
    log.did("c_9", EventType.VIEW, FAR, NOW - 10)
    log.did("c_9", EventType.CART, CUP, NOW - 10)
    assert risen(log) == [("cup", 3.0), ("tea", pytest.approx(3 / 2**0.5))]
    assert risen(log, category="ware") == [("cup", 3.0)]
    assert risen(log, until_ms=NOW + 9 * HOUR) == []
    log.graph.write(items.upsert, [Item(item_id=CUP, is_hidden=True)], now_ms=2)
    assert [item for item, _ in risen(log)] == ["tea"]


def test_what_bots_do_does_not_trend(log: Log) -> None:
    """Nor what staff do."""
    log.did("c_1", EventType.VIEW, TEA, NOW - 10, flags=("bot",))
    log.did("c_2", EventType.VIEW, TEA, NOW - 10)
    log.graph.write(users.set_flags, UserId("c_2"), is_staff=True)
    assert risen(log) == []


def test_two_buyers_of_both_within_the_time_make_a_pair(log: Log) -> None:
    """Two bought tea and cup, one much later; one bought tea and pot."""
    for who, later in (("c_1", 0), ("c_2", 2), ("c_3", 90)):
        log.did(who, EventType.PURCHASE, TEA, NOW)
        log.did(who, EventType.PURCHASE, CUP, NOW + later * HOUR)
    log.did("c_1", EventType.PURCHASE, POT, NOW)
    log.did("c_1", EventType.VIEW, FAR, NOW)
    log.did("c_2", EventType.VIEW, FAR, NOW)
    near = log.graph.read(trends.also_bought, TEA, within_ms=3 * HOUR, limit=9)
    assert near == [("cup", pytest.approx(2 / 3))]
    wide = log.graph.read(trends.also_bought, TEA, within_ms=99 * HOUR, limit=9)
    assert wide == [("cup", pytest.approx(1.0))]
    assert log.graph.read(trends.also_bought, FAR, within_ms=HOUR, limit=9) == []
    assert log.graph.read(trends.also_bought, ItemId("nothing"), within_ms=HOUR, limit=9) == []


def test_the_audience_came_near_the_item_and_may_be_spoken_to(log: Log) -> None:
    """Who touched it comes first, with what they did; then those of its category."""
    log.did("c_far", EventType.VIEW, FAR, NOW)
    log.did("c_near", EventType.PURCHASE, POT, NOW)
    log.did("c_it", EventType.VIEW, TEA, NOW - 5)
    log.did("c_it", EventType.CART, TEA, NOW - 4)
    log.did("c_no", EventType.VIEW, TEA, NOW)
    log.did("c_old", EventType.VIEW, TEA, NOW - 99 * HOUR)
    log.did("v_7", EventType.VIEW, TEA, NOW)
    log.graph.write(users.set_consent, UserId("c_no"), {"marketing": "denied"}, now_ms=NOW)
    found = log.graph.read(audience, TEA, since_ms=NOW - HOUR, now_ms=NOW, slot=None)
    assert [one.user_id for one in found] == ["c_it", "c_near"]
    assert [code for _, code, _ in found[0].touched_items] == [3, 2]
    assert found[1].touched_items == []

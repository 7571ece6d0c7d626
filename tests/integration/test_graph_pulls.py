"""Bulk reads: columns of equal length, page by page, in the order of storing."""

import pytest

from graph import events, items, pulls
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId
from graph.errors import GraphRejected


def bought(number: int, *, flags: tuple[str, ...] = (), price: int | None = None) -> Event:
    return Event(
        event_id=EventId(f"e{number}"),
        type=EventType.PURCHASE,
        user_id=UserId(f"c_{number % 3}"),
        item_id=ItemId(f"i{number % 5}"),
        ts=1000 - number,
        received_ts=2000,
        source="web",
        price_minor=price,
        flags=flags,
    )


def pulled(graph: Graph, *, after: int = 0, upper: int = 10**9, page: int = 4) -> list[int]:
    seqs: list[int] = []
    while True:
        got = graph.read(pulls.edges, EventType.PURCHASE, after=after, upper=upper, page=page)
        if got.n == 0:
            return seqs
        seqs += got.seq
        after = got.last


def test_pages_hold_every_edge_once_in_order_of_storing(graph: Graph) -> None:
    graph.write(events.record, [bought(number) for number in range(10)])
    assert pulled(graph) == list(range(1, 11))
    assert pulled(graph, after=7) == [8, 9, 10]
    assert pulled(graph, upper=3) == [1, 2, 3]


def test_what_is_stored_later_comes_after_the_watermark(graph: Graph) -> None:
    graph.write(events.record, [bought(1), bought(2)])
    watermark = graph.read(pulls.last_seq)
    graph.write(events.record, [bought(2), bought(3)])
    assert pulled(graph, after=watermark) == [3]


def test_columns_stand_side_by_side(graph: Graph) -> None:
    graph.write(events.record, [bought(1, price=250), bought(2)])
    page = graph.read(pulls.edges, EventType.PURCHASE, after=0, upper=9, page=9)
    places = graph.read(pulls.users, after_idx=0, page=9)
    people = dict(zip(places.idx, places.user_id, strict=True))
    rows = sorted(zip(page.ts, page.price_minor, page.quantity, page.user_idx, strict=True))
    assert [(ts, price, quantity, people[idx]) for ts, price, quantity, idx in rows] == [
        (998, -1, 1, "c_2"),
        (999, 250, 1, "c_1"),
    ]


def test_what_bots_do_is_left_out_without_ending_the_pull(graph: Graph) -> None:
    rows = [bought(number, flags=("bot",) if number < 6 else ()) for number in range(8)]
    graph.write(events.record, rows)
    assert pulled(graph, page=2) == [7, 8]


def test_a_node_without_a_place_is_refused(graph: Graph) -> None:
    graph.write(events.record, [bought(1)])
    graph.write(lambda tx: tx.run("MATCH (i:Item) REMOVE i.idx").consume())
    with pytest.raises(GraphRejected, match="without idx"):
        pulled(graph)


def test_items_come_with_what_the_model_needs(graph: Graph) -> None:
    told = Item(
        item_id=ItemId("A"),
        categories=("tea/red", "gifts"),
        brand="Bo",
        price_minor=9,
        created_at=5,
    )
    graph.write(items.upsert, [told], now_ms=1)
    graph.write(items.mention, [ItemId("B")])
    page = graph.read(pulls.items, after_idx=0, page=9)
    assert page == pulls.ItemPage(
        idx=[1, 2], item_id=["A", "B"], category=["tea/red", ""], brand=["Bo", ""],
        price_minor=[9, -1], created_at=[5, -1], n=2, last=2,
    )  # fmt: skip
    assert graph.read(pulls.items, after_idx=page.last, page=9).n == 0


def test_identities_name_places(graph: Graph) -> None:
    joined = Event(
        event_id=EventId("x"), type=EventType.IDENTIFY, user_id=UserId("c_1"), ts=1, received_ts=1,
        source="web", visitor_id=UserId("v_1"),
    )  # fmt: skip
    graph.write(events.record, [joined])
    places = graph.read(pulls.users, after_idx=0, page=9)
    place_of = dict(zip(places.user_id, places.idx, strict=True))
    assert graph.read(pulls.identities) == [(place_of["v_1"], place_of["c_1"])]


def test_an_empty_graph_pulls_nothing(graph: Graph) -> None:
    assert graph.read(pulls.last_seq) == 0
    assert pulled(graph) == []
    assert graph.read(pulls.users, after_idx=0, page=9).n == 0

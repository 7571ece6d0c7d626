"""What is marked beside the facts, and what is not learnt from."""

from pathlib import Path
from typing import Any

from graph import dwell, events, items
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.events import Event, EventType
from graph.domain.ids import ItemId
from tests.factories import told
from workers.cleaning import clean
from workers.columns import pull


def bought(number: int, price: int, **changes: Any) -> Event:
    """A purchase of item A."""
    order = {"order_id": f"o-{number}", "line": 1, "price_minor": price, "currency": "EUR"}
    return told(f"e{number}", EventType.PURCHASE, ts=number * 1000, **(order | changes))


def prices(graph: Graph) -> dict[int, list[str] | None]:
    """The rules that each price breaks."""
    query = "MATCH ()-[r:PURCHASED]->() RETURN r.price_minor AS price, r.outlier AS rules"
    return {row["price"]: row["rules"] for row in graph.read(lambda tx: tx.run(query).data())}


def test_a_wrong_price_is_marked_beside_the_fact_and_not_learnt_from(
    graph: Graph, tmp_path: Path
) -> None:
    """The price stays as it was said."""
    usual = [bought(number, 1_000 + number) for number in range(10)]
    graph.write(events.record, [*usual, bought(10, 100_500)])
    assert clean(graph)["price_outliers"] == 1
    assert prices(graph)[100_500] == ["three_sigma", "ten_means", "robust"]
    assert [rules for rules in prices(graph).values() if rules] == [prices(graph)[100_500]]
    pulled = pull(graph, tmp_path / "edges.npz", report=lambda _: None)
    assert len(pulled.interactions) == 10
    assert pulled.set_aside == {"told_again": 0, "price_outliers": 1}


def test_a_price_that_becomes_usual_loses_its_mark(graph: Graph) -> None:
    """What looked wrong among the first ten is the new price of the next thirty."""
    graph.write(events.record, [bought(number, 1_000 + number) for number in range(9)])
    graph.write(events.record, [bought(9, 5_000)])
    assert clean(graph)["price_outliers"] == 1
    graph.write(events.record, [bought(number, 5_000 + number) for number in range(10, 40)])
    clean(graph)
    assert prices(graph)[5_000] is None


def test_an_edge_marked_after_it_was_pulled_is_left_out_from_then_on(
    graph: Graph, tmp_path: Path
) -> None:
    """What is kept on disk does not know better than the graph."""
    graph.write(events.record, [bought(1, 500, source="web"), bought(2, 500, source="taobao")])
    cache = tmp_path / "edges.npz"
    assert len(pull(graph, cache, report=lambda _: None).interactions) == 2
    assert clean(graph)["told_again"] == 1
    again = pull(graph, cache, report=lambda _: None)
    assert (len(again.interactions), again.fresh) == (1, 0)
    assert again.set_aside["told_again"] == 1


def test_cleaning_twice_changes_nothing(graph: Graph) -> None:
    shelf = [Item(item_id=ItemId("A"), title="A", categories=("toys",))]
    graph.write(items.upsert, shelf, now_ms=1)
    graph.write(events.record, [bought(1, 500, source="web"), bought(2, 500, source="taobao")])
    graph.write(events.record, [told("v1", dwell_ms=100), told("v2")])
    assert clean(graph) == clean(graph)


def test_a_look_without_a_time_gets_the_mean_of_its_category_marked_as_such(graph: Graph) -> None:
    """The fact itself stays without one; where nothing is known, nothing is made up."""
    shelf = [
        Item(item_id=ItemId(name), title=name, categories=(path,))
        for name, path in (("A", "toys"), ("B", "toys"), ("C", "books"))
    ]
    graph.write(items.upsert, shelf, now_ms=1)
    looks = [("A", 100), ("B", 300), ("A", None), ("C", None), ("D", 7)]
    graph.write(
        events.record,
        [
            told(f"v{k}", item_id=ItemId(item), dwell_ms=ms, ts=k)
            for k, (item, ms) in enumerate(looks)
        ],
    )
    assert clean(graph)["dwell_imputed"] == 1
    seen = graph.read(dwell.page, after=0, upper=99, most=10)
    assert seen.dwell_ms == [100, 300, 200, -1, 7]
    assert seen.is_imputed == [False, False, True, False, False]
    raw = graph.read(lambda tx: tx.run("MATCH ()-[r:VIEWED]->() RETURN r.dwell_ms AS ms").value())
    assert sorted(ms for ms in raw if ms is not None) == [7, 100, 300]


def test_people_with_more_events_than_fit_are_counted(graph: Graph, tmp_path: Path) -> None:
    graph.write(events.record, [told(f"v{k}", ts=k) for k in range(5)])
    pulled = pull(graph, tmp_path / "edges.npz", report=lambda _: None)
    assert pulled.sequences(4) == {"people": 1, "cut": 1}
    assert pulled.sequences(5) == {"people": 1, "cut": 0}

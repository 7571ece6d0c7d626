"""The server's plans of the busy queries: they seek, and neither scan nor sort."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from neo4j import ManagedTransaction

from graph import (
    counts,
    dump,
    edges,
    impressions,
    items,
    known_events,
    pulls,
    refunds,
    tags,
    users,
)
from graph.client import Graph
from graph.domain.catalogue import Item
from graph.domain.events import ITEM_BEHAVIOURS, EventType
from graph.domain.ids import ItemId, UserId
from graph.known_people import look_up

SCANS = {"AllNodesScan", "NodeByLabelScan", "DirectedRelationshipTypeScan"} | {
    "UndirectedRelationshipTypeScan",
    "DirectedAllRelationshipsScan",
}


def operators(graph: Graph, query: str, **parameters: Any) -> set[str]:
    """The kinds of steps; the handful of models, which may be scanned, is left out."""

    def explain(tx: ManagedTransaction) -> Any:
        return tx.run(f"EXPLAIN {query}", **parameters).consume().plan

    return {
        plan["operatorType"].split("@")[0]
        for plan in _all(graph.read(explain))
        if plan["args"].get("Details") != "m:Model"
    }


def _all(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", ()):
        yield from _all(child)


def queries_of(graph: Graph, function: Any, *args: Any, **kwargs: Any) -> list[str]:
    """The query texts that a function sends, taken on their way."""
    asked: list[str] = []

    class Listening:
        def __init__(self, tx: ManagedTransaction) -> None:
            self._tx = tx

        def run(self, query: str, **parameters: Any) -> Any:
            asked.append(query)
            return self._tx.run(query, **parameters)

    graph.write(lambda tx: function(Listening(tx), *args, **kwargs))
    return asked


@pytest.mark.parametrize("type_", edges.EDGES)
def test_edges_are_created_by_two_unique_seeks(migrated_graph: Graph, type_: EventType) -> None:
    query = edges._statement(edges.EDGES[type_], ("event_id", "ts"))
    found = operators(migrated_graph, query, groups=[])
    assert any(name.startswith("NodeUniqueIndexSeek") for name in found)
    assert not found & SCANS
    assert "Filter" not in found


@pytest.mark.parametrize("edge", edges.ALL_EDGES, ids=lambda edge: edge.relationship)
def test_known_events_are_found_by_a_unique_seek(migrated_graph: Graph, edge: edges.Edge) -> None:
    found = operators(migrated_graph, known_events._look_up((edge,)), ids=[])
    assert any(name.startswith("DirectedRelationshipUniqueIndexSeek") for name in found)
    assert not found & SCANS


@pytest.mark.parametrize("type_", ITEM_BEHAVIOURS)
def test_pulls_walk_the_seq_index_and_do_not_sort(migrated_graph: Graph, type_: EventType) -> None:
    query = pulls.edges_query(ITEM_BEHAVIOURS[type_].relationship)
    found = operators(migrated_graph, query, after=0, upper=10, page=5)
    assert "DirectedRelationshipIndexSeekByRange" in found
    assert not found & (SCANS | {"Sort", "Top", "PartialSort", "PartialTop"})


@pytest.mark.parametrize("function", [pulls.users, pulls.items])
def test_pulls_of_nodes_walk_their_index_in_order(migrated_graph: Graph, function: Any) -> None:
    (query,) = queries_of(migrated_graph, function, after_idx=0, page=5)
    found = operators(migrated_graph, query, after=0, page=5)
    assert any(name.endswith("IndexSeekByRange") for name in found)
    assert not found & (SCANS | {"Sort", "Top"})


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (look_up, (UserId("c_1"),), {"slot": None, "since_ms": 0, "limit": 50}),
        (tags.tags, (UserId("c_1"),), {}),
        (users.refs, ([UserId("c_1")],), {}),
        (items.servable, ([ItemId("A")],), {"now_ms": 0}),
        (items.details, ([ItemId("A")],), {}),
        (items.exists, (ItemId("A"),), {}),
    ],
)
def test_what_serving_asks_never_scans(
    migrated_graph: Graph, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    for query in queries_of(migrated_graph, function, *args, **kwargs):
        parameters = {"user_id": "", "since_ms": 0, "limit": 1, "slot": None, "user_ids": []}
        parameters["wants_past"] = True
        parameters |= {"ids": [], "now_ms": 0, "item_id": ""}
        assert not operators(migrated_graph, query, **parameters) & SCANS


def test_a_catalogue_that_comes_after_the_events_is_sought_item_by_item(graph: Graph) -> None:
    """A young index is still thought to be empty, so to walk all of it seems to cost nothing."""
    told = Item(
        item_id=ItemId("i1"), categories=("tea",), brand="Bo", price_minor=1, currency="EUR"
    )
    asked = queries_of(graph, items.upsert, [told], now_ms=1)
    graph.run_alone("MATCH (n:Item) DETACH DELETE n")
    graph.run_alone("DROP CONSTRAINT item_id")
    graph.run_alone("CREATE CONSTRAINT item_id FOR (n:Item) REQUIRE n.item_id IS UNIQUE")
    graph.write(items.mention, [ItemId(f"i{number}") for number in range(2_000)])
    graph.run_alone("CALL db.clearQueryCaches()")
    for query in asked:
        given: dict[str, Any] = {name: [] for name in re.findall(r"\$(\w+)", query)}
        given |= {"count": 0} if "count" in given else {}
        assert not operators(graph, query, **given) & (SCANS | {"NodeIndexScan"}), query


def test_the_edge_of_a_refunded_order_is_found_by_the_order(migrated_graph: Graph) -> None:
    (query,) = queries_of(migrated_graph, known_events.known_lines, ["o1"])
    found = operators(migrated_graph, query, orders=[])
    assert "DirectedRelationshipIndexSeek" in found


@pytest.mark.parametrize("function", [refunds._returned, refunds._bought, refunds._refunded])
def test_what_a_returned_order_needs_is_found_by_the_order(
    migrated_graph: Graph, function: Any
) -> None:
    """Never by walking all the edges of a best-seller."""
    (query,) = queries_of(migrated_graph, function, ["o1"])
    found = operators(migrated_graph, query, orders=[], derived="")
    assert found & {"DirectedRelationshipIndexSeek", "NodeUniqueIndexSeek"}
    assert not found & SCANS


@pytest.mark.parametrize("recommendation_id", ["r-1", None])
def test_click_through_is_found_by_the_answer(
    migrated_graph: Graph, recommendation_id: str | None
) -> None:
    (query,) = queries_of(
        migrated_graph, impressions.click_through, recommendation_id=recommendation_id
    )
    found = operators(migrated_graph, query, recommendation_id="r", since_ms=0, until_ms=1, limit=1)
    assert not found & SCANS


def test_counting_takes_the_numbers_that_the_store_keeps(migrated_graph: Graph) -> None:
    labels, types, nodes, relationships = queries_of(migrated_graph, counts.counts)
    counting = (nodes, relationships, known_events._count_types())
    found = set().union(*(operators(migrated_graph, query) for query in counting))
    assert {"NodeCountFromCountStore", "RelationshipCountFromCountStore"} <= found
    assert not found & (SCANS | {"EagerAggregation"})
    assert labels != types


def test_a_dump_is_read_as_ranges_of_an_index(migrated_graph: Graph) -> None:
    """Neither sorted nor scanned, so that memory stays as it is while the graph grows."""
    for section in (
        dump.Section("events", "", "VIEWED"),
        dump.Section("rest", "User", "SAME_AS"),
        dump.Section("edges", "User", "USES"),
        dump.Section("nodes", "User", ""),
    ):
        query = dump.statement(section, ("user_id",), is_first=False)
        found = operators(migrated_graph, query, after=["a"], upper=1, limit=1, earlier=[], keys={})
        assert found.isdisjoint(SCANS | {"Sort", "Top"}), (section, found)

"""C9: values of data libraries through the graph layer, and the query after them."""

import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from neo4j import ManagedTransaction

from graph import events
from graph.client import Graph
from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId
from graph.errors import GraphRejected


def told(event_id: str, **changes: Any) -> Event:
    values: dict[str, Any] = {
        "event_id": EventId(event_id),
        "type": EventType.REVIEW,
        "user_id": UserId("c_anna"),
        "ts": 1000,
        "received_ts": 1001,
        "source": "web",
        "item_id": ItemId("A"),
    }
    return Event(**(values | changes))


def store_and_go_on(tx: ManagedTransaction, value: Any) -> Any:
    return tx.run("CREATE (q:Query {text: $value}) RETURN q.text AS it", value=value).single(
        strict=True
    )["it"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(1.5), 1.5),
        (np.int64(3), 3),
        (np.array([1, 2]), [1, 2]),
        (pd.Timestamp("2026-03-01T08:00:00Z"), "2026-03-01T08:00:00.000000000+00:00"),
        (pd.NaT, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_c9_values_of_numpy_and_pandas_are_converted(
    graph: Graph, value: Any, expected: Any
) -> None:
    found = graph.write(store_and_go_on, value)
    assert (found.iso_format() if hasattr(found, "iso_format") else found) == expected
    graph.ping()


@pytest.mark.parametrize(
    "value",
    [uuid.uuid4(), Decimal("1.5"), {1, 2}, {"a": {"b": 1}}, 1 << 70, "\ud800"],
    ids=lambda value: type(value).__name__,
)
def test_c9_what_cannot_be_stored_is_refused_and_the_next_query_works(
    graph: Graph, value: Any
) -> None:
    """As our own error, so that a writer sets the row aside and goes on."""
    with pytest.raises(GraphRejected):
        graph.write(store_and_go_on, value)
    assert graph.write(store_and_go_on, "next") == "next"


@pytest.mark.parametrize("error", [ValueError, TypeError, OverflowError])
def test_a_fault_of_our_own_code_stays_what_it_is(graph: Graph, error: type[Exception]) -> None:
    def wrong(tx: ManagedTransaction) -> None:
        raise error("of ours")

    with pytest.raises(error, match="of ours"):
        graph.write(wrong)


def test_c9_events_with_such_values_are_stored_as_plain_ones(graph: Graph) -> None:
    graph.write(
        events.record,
        [
            told(
                "e1", rating=np.float32(4.5), price_minor=np.int64(250), session_id=uuid.UUID(int=7)
            )
        ],
    )
    row = graph.read(
        lambda tx: tx.run(
            "MATCH ()-[r:REVIEWED]->() RETURN r.rating AS rating, r.price_minor AS price, "
            "r.session_id AS session"
        ).single(strict=True)
    )
    assert row.values() == [4.5, 250, "00000000-0000-0000-0000-000000000007"]


@pytest.mark.parametrize(
    "changes",
    [
        {"ts": pd.NaT},
        {"ts": pd.Timestamp("2026-03-01", tz="UTC")},
        {"price_minor": Decimal(1)},
        {"price_minor": 1 << 70},
        {"session_id": "\ud800"},
        {"flags": {"late"}},
    ],
    ids=["NaT", "Timestamp", "Decimal", "too large", "lone surrogate", "set"],
)
def test_c9_an_event_that_cannot_be_stored_leaves_nothing_behind(
    graph: Graph, changes: dict[str, Any]
) -> None:
    """And the batch without it goes through."""
    with pytest.raises(GraphRejected):
        graph.write(events.record, [told("e1"), told("e2", **changes)])
    assert graph.write(events.record, [told("e1")]).last_seq == 1

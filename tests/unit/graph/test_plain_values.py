"""Values of data libraries on their way into the graph."""

import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId
from graph.errors import GraphRejected
from graph.plain_values import plain


def told(**changes: Any) -> Event:
    values: dict[str, Any] = {
        "event_id": EventId("e1"),
        "type": EventType.REVIEW,
        "user_id": UserId("c_anna"),
        "ts": 1000,
        "received_ts": 1001,
        "source": "web",
        "item_id": ItemId("A"),
    }
    return Event(**(values | changes))


def test_plain_events_come_back_untouched() -> None:
    batch = [told(rating=4.5, flags=("late",), price_minor=0), told()]
    assert plain(batch) is batch
    assert plain([]) == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rating", np.float32(1.5), 1.5),
        ("price_minor", np.int64(250), 250),
        ("ts", np.int64(1000), 1000),
        ("session_id", uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ],
)
def test_c9_what_means_the_same_is_converted(name: str, value: Any, expected: Any) -> None:
    converted = getattr(plain([told(), told(**{name: value})])[1], name)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ts", pd.Timestamp("2026-03-01", tz="UTC")),
        ("ts", pd.NaT),
        ("ts", None),
        ("ts", np.datetime64("2026-03-01")),
        ("price_minor", Decimal("1.50")),
        ("price_minor", pd.NA),
        ("flags", {"late"}),
        ("attributes", {"a": {"b": 1}}),
        ("position", np.array([1, 2])),
    ],
    ids=str,
)
def test_c9_anything_else_is_refused_by_its_name(name: str, value: Any) -> None:
    """The message names the field and the kind, and never the value."""
    with pytest.raises(GraphRejected, match=f"^{name} of an event cannot be a \\w+$"):
        plain([told(), told(**{name: value})])

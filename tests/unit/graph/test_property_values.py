"""Values of properties on their way through JSON."""

from typing import Any

import orjson
import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

from graph.errors import GraphRejected
from graph.property_values import from_json, to_json

BERLIN = pytz.timezone("Europe/Berlin")
SCALARS = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)


def through_json(value: Any) -> Any:
    return from_json(orjson.loads(orjson.dumps(to_json({"p": value}))))["p"]


@given(SCALARS | st.lists(st.floats()) | st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_every_plain_value_comes_back_of_its_kind(value: Any) -> None:
    """A whole float stays a float, and no digit is lost; also what JSON has no word for."""
    assert repr(through_json(value)) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        Date(2026, 2, 28),
        Time(23, 59, 59, 1),
        Time(1, 2, 3, 4, pytz.FixedOffset(-210)),
        DateTime(2026, 1, 1, 0, 0, 0, 123456789),
        DateTime(2026, 1, 1, 0, 0, 0, 1, pytz.FixedOffset(330)),
        DateTime(2026, 10, 25, 0, 30, 0, 5, pytz.utc).astimezone(BERLIN),
        DateTime(2026, 10, 25, 1, 30, 0, 5, pytz.utc).astimezone(BERLIN),
        Duration(months=-14, days=3, seconds=4, nanoseconds=5),
        WGS84Point((1.5, -2.0)),
        CartesianPoint((1.0, 2.0, 3.0)),
        [Date(2026, 2, 28), Date(1, 1, 1)],
    ],
)
def test_times_and_places_come_back_as_they_were(value: Any) -> None:
    """To the nanosecond, with their zone; also in the hour that comes twice."""
    assert repr(through_json(value)) == repr(value)


def test_what_has_no_word_is_refused() -> None:
    with pytest.raises(GraphRejected, match="set"):
        to_json({"p": {1, 2}})
    with pytest.raises(GraphRejected):
        from_json({"p": {"unheard": 1}})
    with pytest.raises(GraphRejected):
        from_json({"p": {"bytes": "", "date": ""}})

"""Events with values of a data library: made plain where they mean the same, else refused."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from graph.domain.events import FIELD_NAMES, Event, EventType
from graph.errors import GraphRejected

_NONE = type(None)
_PLAIN = frozenset({str, int, float, bool, tuple, _NONE, EventType})
_NEEDED = ("ts", "received_ts")


def plain(events: Sequence[Event]) -> Sequence[Event]:
    """
    The events with numbers of numpy as numbers of Python, and UUIDs as text.

    The driver would store a ``pandas.Timestamp`` as a time of another kind than all others, and
    ``NaT`` as nothing at all, so both are refused here.

    Raises:
        GraphRejected: a value is of a kind that the graph does not take; no value is told.
    """
    odd = [
        name
        for name, column in zip(FIELD_NAMES, zip(*events, strict=True), strict=False)
        if not (_PLAIN - {_NONE} if name in _NEEDED else _PLAIN).issuperset(map(type, column))
    ]
    if not odd:
        return events
    return [
        event._replace(**{name: _plain(name, getattr(event, name)) for name in odd})
        for event in events
    ]


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if type(value) not in _PLAIN and hasattr(value, "dtype") and not value.shape:
        value = value.item()  # one number of numpy
    is_missing = name in _NEEDED and value is None
    if type(value) not in _PLAIN or is_missing:
        raise GraphRejected(f"{name} of an event cannot be a {type(value).__name__}")
    return value

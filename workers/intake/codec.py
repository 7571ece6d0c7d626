"""How events travel on the stream: by column, without what is empty or always the same."""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import orjson

from graph.domain.events import FIELD_NAMES, Event, EventType

_TYPES = {kind.value: kind for kind in EventType}
_LISTS = ("shown_items", "shown_positions", "flags")
_DEFAULTS = Event._field_defaults
_NEVER = object()
_USUAL = [_DEFAULTS.get(name, _NEVER) for name in FIELD_NAMES]


def encode(events: Sequence[Event]) -> bytes:
    """
    Events as JSON: ``n``, ``same`` (values that all of them share), ``columns`` (the others).

    Fields travel by name, so a reader of another version can still read them.
    """
    if len(events) == 1:
        return orjson.dumps({"n": 1, "same": _said(events[0]), "columns": {}})
    same: dict[str, Any] = {}
    columns: dict[str, Sequence[Any]] = {}
    for name, column in zip(FIELD_NAMES, zip(*events, strict=True), strict=True):
        first = column[0]
        if column.count(first) != len(column):
            columns[name] = column
        elif name not in _DEFAULTS or first != _DEFAULTS[name]:
            same[name] = first
    return orjson.dumps({"n": len(events), "same": same, "columns": columns})


def _said(event: Event) -> dict[str, Any]:
    """What an event says beyond what is the same for most; a shopper's click comes alone."""
    return {
        name: value
        for name, value, usual in zip(FIELD_NAMES, event, _USUAL, strict=True)
        if value is not usual
    }


def decode(payload: bytes) -> list[Event]:
    """
    The inverse of ``encode``.

    Raises:
        ValueError: the payload was not made by ``encode``.
    """
    try:
        parts = orjson.loads(payload)
        count, same, columns = parts["n"], parts["same"], parts["columns"]
        return list(map(Event, *(_column(name, same, columns, count) for name in FIELD_NAMES)))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a list of events") from error


def _column(name: str, same: dict[str, Any], columns: dict[str, list[Any]], count: int) -> Any:
    if name in columns:
        column = columns[name]
        if len(column) != count:
            raise ValueError("a column of the wrong length")
        if name in _LISTS:
            return [None if value is None else tuple(value) for value in column]
        return [_TYPES[value] for value in column] if name == "type" else column
    if name not in same:
        if name not in _DEFAULTS:
            raise KeyError(name)
        return repeat(_DEFAULTS[name], count)
    value = same[name]
    if name in _LISTS and value is not None:
        value = tuple(value)
    return repeat(_TYPES[value] if name == "type" else value, count)

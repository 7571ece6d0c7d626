"""Values of properties as JSON that comes back exactly: kinds that JSON lacks are said in words."""

import base64
import math
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any

import pytz
from neo4j.spatial import CartesianPoint, Point, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

from graph.errors import GraphRejected

Properties = Mapping[str, Any]

_PLAIN = frozenset({str, int, bool})


def to_json(properties: Properties) -> dict[str, Any]:
    """
    Properties as the driver gives them, as values that JSON keeps apart.

    A property is never a map, so an object such as ``{"bytes": "AAE="}`` stands for a value of
    that kind. Whole floats stay floats (``2.0``), since JSON writers and readers of the house keep
    the point.

    Raises:
        GraphRejected: a value is of a kind that is not known here.
    """
    return {name: _said(value) for name, value in properties.items()}


def from_json(properties: Properties) -> dict[str, Any]:
    """
    Back to what the driver takes.

    Raises:
        GraphRejected: an object that stands for no kind of value.
    """
    return {name: _meant(value) for name, value in properties.items()}


def _said(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN or (kind is float and math.isfinite(value)):
        return value
    if kind is list:
        return [_said(one) for one in value]
    name = _NAMES.get(kind)
    if name is None:
        raise GraphRejected(f"a property of kind {kind.__name__} cannot be written as JSON")
    return {name: _TO[name](value)}


def _meant(value: Any) -> Any:
    if isinstance(value, list):
        return [_meant(one) for one in value]
    if not isinstance(value, dict):
        return value
    ((name, said),) = value.items() if len(value) == 1 else (("", None),)
    if name not in _FROM:
        raise GraphRejected("an object in a property stands for no value")
    return _FROM[name](said)


def _parts_of_time(value: Time) -> list[Any]:
    return [value.hour, value.minute, value.second, value.nanosecond, _offset_s(value)]


def _time(parts: list[Any]) -> Time:
    hour, minute, second, nanosecond, place = parts
    return Time(hour, minute, second, nanosecond, None if place is None else _zone(place))


def _parts_of_moment(value: DateTime) -> list[Any]:
    # A moment with a zone is kept in UTC beside its zone, as a clock time may come twice a year.
    zone = None if value.tzinfo is None else getattr(value.tzinfo, "zone", None)
    place = _offset_s(value) if zone in (None, "UTC") else zone
    utc = value if value.tzinfo is None else value.astimezone(UTC)
    date = [utc.year, utc.month, utc.day]
    return [*date, utc.hour, utc.minute, utc.second, utc.nanosecond, place]


def _moment(parts: list[Any]) -> DateTime:
    year, month, day, hour, minute, second, nanosecond, place = parts
    read = DateTime(year, month, day, hour, minute, second, nanosecond)
    return read if place is None else read.replace(tzinfo=UTC).astimezone(_zone(place))


def _offset_s(value: Time | DateTime) -> int | None:
    offset = value.utcoffset()
    return None if offset is None else round(offset.total_seconds())


def _zone(place: str | int) -> tzinfo:
    # As the driver has it: with zoneinfo an hour that comes twice would always be the first one.
    zone: tzinfo = pytz.timezone(place) if isinstance(place, str) else pytz.FixedOffset(place // 60)
    return zone


def _point(parts: list[Any]) -> Point:
    srid, *place = parts
    kind = WGS84Point if srid in (4326, 4979) else CartesianPoint
    return kind(place)


_KINDS: tuple[tuple[str, type[Any], Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    ("bytes", bytes, lambda v: base64.b64encode(v).decode(), base64.b64decode),
    ("float", float, str, float),
    ("date", Date, lambda v: v.iso_format(), Date.from_iso_format),
    ("time", Time, _parts_of_time, _time),
    ("moment", DateTime, _parts_of_moment, _moment),
    ("duration", Duration, list, lambda v: Duration(months=v[0], days=v[1], seconds=v[2],
                                                    nanoseconds=v[3])),
    ("point", WGS84Point, lambda v: [v.srid, *v], _point),
    ("point", CartesianPoint, lambda v: [v.srid, *v], _point),
)  # fmt: skip
_NAMES = {kind: name for name, kind, _, _ in _KINDS} | {bytearray: "bytes"}
_TO = {name: to for name, _, to, _ in _KINDS}
_FROM = {name: back for name, _, _, back in _KINDS}

"""
What came in, hour by hour, by source and type: kept in Valkey, as durable as the stream.

Hours are those of the receipt. What was accepted is counted in the step that stores it, so the
count and the stream cannot differ.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import orjson

from graph.domain.events import Event, EventType
from workers.intake.rows import Checked, RowResult, Status
from workers.intake.valkey import connect, ours

HOUR_MS = 3_600_000
KEPT_S = 9 * 86_400
PREFIX = "shopgraph:tally:"
UNKNOWN = "unknown"

WAITS_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 86_400)
"""Upper ends of the classes in which the time from receipt to a visible edge is counted."""

_COUNT = (files("workers.intake") / "count.lua").read_text(encoding="utf-8")
_NUMBER = re.compile(r"\.\d+(?=\.|$)")
_KINDS = frozenset(EventType)

Place = tuple[str, str]
"""A source, and a type of event."""


@dataclass(slots=True)
class Counts:
    """
    What was counted over some hours, by source and type.

    Attributes:
        rows: rows accepted; an order is one row.
        events: events of these rows; a line of an order is one event.
        refused: rows not taken, by the code of their first fault as well.
        missing: faults of missing fields, by field as well.
        duplicates: rows known by their id already, at the door or in the graph.
        dropped: accepted events that the graph had already, or could not take.
        waits: events by the class of their time to a visible edge, as ``WAITS_S`` numbers them.
        repeats: rows that came again, by source and device.
    """

    rows: Counter[Place] = field(default_factory=Counter)
    events: Counter[Place] = field(default_factory=Counter)
    refused: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    missing: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    duplicates: Counter[Place] = field(default_factory=Counter)
    dropped: Counter[Place] = field(default_factory=Counter)
    waits: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    repeats: Counter[tuple[str, str]] = field(default_factory=Counter)


def hour_key(ms: int) -> str:
    """The hash of the hour in which a moment lies."""
    return f"{PREFIX}{ms // HOUR_MS}"


def accepted(rows: Iterable[tuple[Event, int]]) -> bytes:
    """
    The amounts for accepted rows, as the scripts take them.

    Args:
        rows: the first event of each row, and how many there are.
    """
    amounts: Counter[str] = Counter()
    for event, count in rows:
        amounts[_name("rows", event.source, event.type)] += 1
        amounts[_name("events", event.source, event.type)] += count
    return orjson.dumps(amounts)


class Tally:
    """Counts by the hour; every call raises ``StreamUnavailable`` where Valkey is away."""

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)
        self._script = self._client.register_script(_COUNT)

    def refused(self, checked: Checked, results: Sequence[RowResult]) -> None:
        """Count the rows of a request that were not taken."""
        left = [one for one in results if one.status is not Status.ACCEPTED]
        if not left:
            return
        amounts: Counter[str] = Counter()
        devices = {one.key: checked.events[one.first].device_id for one in checked.kept}
        for one in left:
            source, kind = _place(checked.raw[one.index], checked.source)
            if one.status is Status.DUPLICATE:
                amounts[_name("duplicates", source, kind)] += 1
                device = devices.get(f"{source}|{one.event_id}")
                if device is not None:
                    amounts[_name("repeats", source, device)] += 1
                continue
            reason = "conflict" if one.status is Status.CONFLICT else one.code or one.status
            amounts[_name("refused", source, kind, reason)] += 1
            for fault in one.faults:
                if fault.code == "missing_field":
                    where = _NUMBER.sub("", fault.field or "")
                    amounts[_name("missing", source, kind, where)] += 1
        self._add(checked.received_ms, amounts)

    def written(self, stored: Iterable[Event], dropped: Iterable[Event], now_ms: int) -> None:
        """Count what became of accepted events; history that is imported has no time of receipt."""
        by_hour: dict[int, Counter[str]] = {}
        for event in stored:
            if event.received_ts != event.ts:
                waited = bisect_left(WAITS_S, (now_ms - event.received_ts) / 1_000)
                amounts = by_hour.setdefault(event.received_ts // HOUR_MS, Counter())
                amounts[_name("waits", event.source, event.type, str(waited))] += 1
        for event in dropped:
            amounts = by_hour.setdefault(event.received_ts // HOUR_MS, Counter())
            amounts[_name("dropped", event.source, event.type)] += 1
        for hour, amounts in by_hour.items():
            if now_ms - hour * HOUR_MS < KEPT_S * 1_000:
                self._add(hour * HOUR_MS, amounts)

    def read(self, begin_ms: int, end_ms: int) -> Counts:
        """The sums over the hours from that of ``begin_ms`` to that of ``end_ms``."""
        hours = range(begin_ms // HOUR_MS, end_ms // HOUR_MS + 1)
        with ours(), self._client.pipeline(transaction=False) as pipe:
            for hour in hours:
                pipe.hgetall(hour_key(hour * HOUR_MS))
            found: list[dict[bytes, bytes]] = pipe.execute()
        counts = Counts()
        for one in found:
            for name, amount in one.items():
                _take(counts, name.decode(), int(amount))
        return counts

    def forget(self, devices: Collection[str]) -> int:
        """Drop the repeats of these devices; says how many counts went."""
        gone = 0
        wanted = tuple(f"|{device}".encode() for device in devices)
        with ours():
            for key in self._client.scan_iter(f"{PREFIX}*", count=1_000):
                fields = [one for one in self._client.hkeys(key) if one.endswith(wanted)]
                gone += int(self._client.hdel(key, *fields)) if fields else 0
        return gone

    def _add(self, at_ms: int, amounts: Mapping[str, int]) -> None:
        if amounts:
            with ours():
                self._script(keys=[hour_key(at_ms)], args=[KEPT_S, orjson.dumps(amounts)])


def _name(*parts: str) -> str:
    return "|".join(parts)


def _take(counts: Counts, name: str, amount: int) -> None:
    what, *place = name.split("|")
    if what == "other":
        return
    key: Any = (*place[:-1], int(place[-1])) if what == "waits" else tuple(place)
    getattr(counts, what)[key] += amount


def _place(raw: Any, default_source: str) -> Place:
    """Source and type of a row that may hold anything."""
    said = raw if isinstance(raw, Mapping) else {}
    source, kind = said.get("source"), said.get("event_type")
    is_name = isinstance(source, str) and 0 < len(source) <= 255 and "|" not in source
    known = isinstance(kind, str) and kind in _KINDS
    return (str(source) if is_name else default_source), (str(kind) if known else UNKNOWN)

"""Times at the door: ISO-8601 text with a zone, or a number whose unit an adapter has named."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple, Self

from pydantic_core import PydanticCustomError

from workers.intake.clocks import Clock

DAY_MS = 86_400_000
FUTURE_CLAMP_MS = 5 * 60_000
FUTURE_LIMIT_MS = DAY_MS
LATE_MS = 30 * DAY_MS
EARLIEST_MS = 631_152_000_000
"""1990-01-01T00:00:00Z: no shop event is older."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHAPE = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


class EpochMs(int):
    """Milliseconds since 1970 UTC from a source whose unit is known; no JSON can contain one."""

    @classmethod
    def of(cls, number: int, unit: Literal["s", "ms", "us", "ns"]) -> Self:
        """The time that a number of ``unit`` since 1970 stands for; finer digits are cut."""
        return cls(number * _NANOSECONDS[unit] // 1_000_000)


def parse_time(raw: object) -> int:
    """
    Milliseconds UTC.

    Raises:
        PydanticCustomError: ``invalid_time`` or ``time_without_zone``; numbers are refused,
            since nothing tells their unit.
    """
    if type(raw) is str:
        return _from_text(raw)
    if type(raw) is EpochMs:
        return int(raw)
    raise PydanticCustomError("invalid_time", "a time is ISO-8601 text with a zone")


@lru_cache(maxsize=8_192)
def _from_text(raw: str) -> int:
    shape = _SHAPE.fullmatch(raw)
    if shape is None:
        raise PydanticCustomError("invalid_time", "a time is ISO-8601 text with a zone")
    try:
        since = datetime.fromisoformat(raw.upper().replace(",", "."))
    except ValueError as error:
        raise PydanticCustomError("invalid_time", "no such time") from error
    if shape["zone"] is None:
        raise PydanticCustomError("time_without_zone", "a time needs its zone")
    since_epoch = since - _EPOCH
    return (
        since_epoch.days * DAY_MS + since_epoch.seconds * 1_000 + since_epoch.microseconds // 1_000
    )


class Moment(NamedTuple):
    """
    When an event happened.

    Attributes:
        ts: milliseconds UTC; ``None`` when it is out of all range.
        device_ts: what the device said, where that is something else.
        flags: what was done about it.
    """

    ts: int | None
    device_ts: int | None = None
    flags: tuple[str, ...] = ()


def clocked(
    event_ts: int, *, received_ms: int, imported: bool, clock: Clock | None = None
) -> Moment:
    """
    Apply the device's clock, then the rules for future, late and impossible times.

    History is exempt from ``late``.
    """
    ts = event_ts
    flags: tuple[str, ...] = ()
    if clock is not None:
        ts = clock.read(event_ts)
        flags = ("skew_corrected",) if ts != event_ts else ()
    ahead = ts - received_ms
    if ahead > FUTURE_LIMIT_MS or ts < EARLIEST_MS:
        return Moment(None)
    if ahead > FUTURE_CLAMP_MS:
        return Moment(received_ms, event_ts, (*flags, "future_clamped"))
    if -ahead > LATE_MS and not imported:
        flags = (*flags, "late")
    return Moment(ts, event_ts if ts != event_ts else None, flags)

"""
Clocks of devices: how far each goes wrong, judged so that a slow network cannot fool it.

``received − sent`` holds the error of the clock and the time on the way, and time on the way can
only add. So the smallest difference of the running and the last hour is nearest to the error. It is
applied beyond five minutes, to all events of the device alike, and changed only when the smallest
has moved by more than five minutes from what is applied. When the offset shrinks (the clock goes
further ahead than was thought), what the device did up to then keeps the old offset, and nothing
later is placed before it: the order within a device never changes (decision 009).

Differences beyond a hundred years are no clocks and are not looked at. Nor is an event that lies
more than a day after its own sending: it tells nothing of how far the device has come, and would
hold back every later change of the offset. The numbers are kept and judged in ``accept.lua``, in
the step that stores the events.
"""

from dataclasses import dataclass
from typing import Self

ABSURD_MS = 100 * 365 * 86_400_000
AHEAD_MS = 86_400_000


@dataclass(slots=True)
class Sample:
    """
    What one request tells of a device's clock.

    Attributes:
        difference_ms: the smallest ``received − sent`` of its rows.
        newest_ts: latest event time among them, by the device.
    """

    difference_ms: int
    newest_ts: int

    @classmethod
    def of(cls, ts: int, sent_ts: int, received_ms: int) -> Self:
        """What one row tells."""
        return cls(received_ms - sent_ts, ts if ts <= sent_ts + AHEAD_MS else sent_ts)

    def add(self, ts: int, sent_ts: int, received_ms: int) -> None:
        """One more row of the device."""
        self.difference_ms = min(self.difference_ms, received_ms - sent_ts)
        self.newest_ts = max(self.newest_ts, ts if ts <= sent_ts + AHEAD_MS else sent_ts)


@dataclass(frozen=True, slots=True)
class Clock:
    """
    How to read a device's clock.

    Attributes:
        offset_ms: what to add.
        until_ts, before_ms: up to this time of the device, that was to be added instead.
    """

    offset_ms: int
    until_ts: int | None = None
    before_ms: int = 0

    def read(self, ts: int) -> int:
        """The true time of an event that the device says happened at ``ts``."""
        if self.until_ts is None:
            return ts + self.offset_ms
        if ts <= self.until_ts:
            return ts + self.before_ms
        return max(ts + self.offset_ms, self.until_ts + self.before_ms)

"""What every connector to a platform can do, and by what clock."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Protocol

from workers.leases import now_ms

MINUTE_MS = 60_000
DAY_MS = 86_400_000
BEIJING = timezone(timedelta(hours=8))
"""Times of the Chinese platforms, which say no zone; it has no summer time."""

Raw = dict[str, Any]
"""A row of our event schema, as a client would send it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """
    How a platform may be asked, in milliseconds.

    Attributes:
        step_ms: a window that it answers quickly.
        longest_ms: it refuses wider windows.
        history_ms: it has forgotten what is older.
    """

    step_ms: int
    longest_ms: int
    history_ms: int


class Connector(Protocol):
    """
    Orders and refunds of one platform.

    Attributes:
        name: on the command line, and the source of its events.
    """

    name: str
    reach: Reach

    def read(self, since_ms: int, until_ms: int) -> Iterator[Raw]:
        """
        Everything that was changed in a window, ordered by time of change and id.

        The same record gives the same row whenever it is read, so that repeats are known.

        Raises:
            PlatformError: some answer is missing; whoever asked must ask for all of it again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, and how to let it pass."""

    now_ms: Callable[[], int] = now_ms
    sleep: Callable[[float], None] = time.sleep


def iso(at_ms: int) -> str:
    """A moment as our event schema writes it."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")


def beijing_wall(at_ms: int) -> str:
    """What a clock in Beijing shows, to the second."""
    return datetime.fromtimestamp(at_ms // 1_000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def from_beijing(wall: Any) -> str | None:
    """A time of such a clock with its zone, so that the door can read it."""
    return f"{wall}+08:00" if wall else None

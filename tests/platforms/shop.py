"""A shop on a platform, as it stands at each moment of a made-up week."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import numpy as np

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BEGIN_MS = 1_772_380_800_000
"""2026-03-02T00:00:00+08:00."""

BEIJING = timezone(timedelta(hours=8))


def wall(at_ms: int) -> str:
    """What a clock in Beijing shows."""
    return datetime.fromtimestamp(at_ms / 1_000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def ms(text: str) -> int:
    """The moment that such a clock shows."""
    at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    return int(at.timestamp() * 1_000)


class FakeClock:
    """A time that passes only when somebody waits."""

    def __init__(self, now_ms: int = BEGIN_MS) -> None:
        self.ms = now_ms
        self.slept_s = 0.0

    def now_ms(self) -> int:
        """The time."""
        return self.ms

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.slept_s += seconds
        self.ms += int(seconds * 1_000)


@dataclass
class Refund:
    """Part of a sale that was given back."""

    number: int
    line: int
    granted_ms: int


@dataclass
class Sale:
    """One order: lines of (item, pieces, fen for all of them)."""

    number: int
    buyer: str
    placed_ms: int
    lines: list[tuple[int, int, int]]
    is_paid: bool = True
    refund: Refund | None = None
    changes: list[int] = field(default_factory=list)

    @property
    def paid_ms(self) -> int:
        """When it was paid."""
        return self.placed_ms + 120_000

    def modified_ms(self, now_ms: int) -> int:
        """When it was last changed."""
        return max(moment for moment in self.changes if moment <= now_ms)


class Shop:
    """Sales of a week, with the number of the first one; every fifth has a refund."""

    def __init__(
        self, clock: FakeClock, first: int, *, per_day: int = 5, busy_day: int = 3
    ) -> None:
        self.clock = clock
        self._rng = np.random.default_rng(first)
        self.sales = [
            self._sale(first + 1_000 * day + number, day)
            for day in range(7)
            for number in range(per_day * (28 if day == busy_day else 1))
        ]

    def changed(self, since_ms: int, until_ms: int) -> list[Sale]:
        """What a list by time of change shows right now, oldest change first."""
        now = self.clock.ms
        shown = [
            (sale.modified_ms(now), sale.number, sale)
            for sale in self.sales
            if sale.placed_ms <= now
        ]
        return [sale for at, _, sale in sorted(shown, key=lambda one: one[:2])
                if since_ms <= at <= until_ms]  # fmt: skip

    def refunds(self, since_ms: int, until_ms: int) -> Iterator[tuple[Sale, Refund]]:
        """What was given back in a window."""
        for sale in self.sales:
            one = sale.refund
            if one is not None and since_ms <= one.granted_ms <= min(until_ms, self.clock.ms):
                yield sale, one

    def stir(self, sales: list[Sale]) -> None:
        """Some of the sales that are being read are changed by the shop."""
        for sale in sales:
            if self._rng.random() < 0.2:
                sale.changes.append(self.clock.ms)

    def sale(self, number: int) -> Sale:
        """One of them."""
        return next(one for one in self.sales if one.number == number)

    def _sale(self, number: int, day: int) -> Sale:
        rng = self._rng
        placed = BEGIN_MS + day * DAY_MS + int(rng.integers(0, 17 * 3_600)) * 1_000
        items = rng.choice(40, size=int(rng.integers(1, 4)), replace=False)
        lines = [(int(item) + 500, int(rng.integers(1, 4)), int(rng.integers(1, 900)) * 10)
                 for item in items]  # fmt: skip
        sale = Sale(number, f"buyer-{int(rng.integers(60))}", placed, lines, rng.random() > 0.1)
        # All that was paid in a day leaves at six in the evening: equal times over several pages.
        left = BEGIN_MS + day * DAY_MS + 18 * HOUR_MS
        sale.changes = [placed] + ([sale.paid_ms, left] if sale.is_paid else [])
        if sale.is_paid and number % 5 == 0 and day < 6:
            given_back = left + int(rng.integers(1, 8 * 3_600)) * 1_000
            sale.refund = Refund(number * 10, int(rng.integers(len(lines))), given_back)
            sale.changes.append(given_back)
        return sale

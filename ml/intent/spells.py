"""Days on which a group was active, and what the silences between them look like."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.distinct import find

Rows = NDArray[Any]
Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Spells:
    """
    Distinct (group, day), sorted by both.

    Shapes, K groups, R rows:
        key:    (K,) int64, sorted; ``group`` are positions in it
        group, day, period: (R,) int32; day and period count from the grid's start
        lines:  (R,) float64, events on that day
    """

    key: Rows
    group: Rows
    day: Rows
    period: Rows
    lines: Numbers

    @classmethod
    def of(cls, key: Rows, day: Rows, horizon_days: int) -> "Spells":
        """From one key and day (at least 0) per event."""
        known, group = np.unique(key, return_inverse=True)
        width = int(day.max(initial=0)) + 1
        cell, lines = np.unique(group.astype(np.int64) * width + day, return_counts=True)
        days = (cell % width).astype(np.int32)
        return cls(
            key=known.astype(np.int64),
            group=(cell // width).astype(np.int32),
            day=days,
            period=(days // horizon_days).astype(np.int32),
            lines=lines.astype(np.float64),
        )

    def find(self, key: Rows) -> Rows:
        """Positions of keys; K, the row of the empty group, where unknown."""
        return find(self.key, key)

    def within(self, first: int, period: int) -> Rows:
        """Positions of the rows with first ≤ period of the row < period."""
        return np.flatnonzero((self.period >= first) & (self.period < period))

    def count(self, first: int, period: int) -> Numbers:
        """(K + 1,) active days in those periods."""
        rows = self.within(first, period)
        return np.bincount(self.group[rows], minlength=len(self.key) + 1).astype(np.float64)

    def count_lines(self, first: int, period: int) -> Numbers:
        """(K + 1,) events in those periods."""
        rows = self.within(first, period)
        return np.bincount(self.group[rows], self.lines[rows], len(self.key) + 1)

    def active(self, period: int) -> Rows:
        """(K + 1,) bool, whether anything happened in the period."""
        found = np.zeros(len(self.key) + 1, bool)
        found[self.group[self.period == period]] = True
        return found


@dataclass(frozen=True, slots=True)
class Renewal:
    """
    Silences of K groups within a window, and of an empty group as row K; days, NaN: undefined.

    Shapes:
        n: (K + 1,) active days
        first, last: (K + 1,) day of the first and last of them
        gaps, squares: (K + 1,) sum of the gaps between them and of their squares
        longest, shortest, latest: (K + 1,) gaps, NaN below two active days
        last_period: (K + 1,) int, -1: never
        now: the day the window ends
    """

    n: Numbers
    first: Numbers
    last: Numbers
    gaps: Numbers
    squares: Numbers
    longest: Numbers
    shortest: Numbers
    latest: Numbers
    last_period: Rows
    now: int
    group: Rows
    day: Rows

    @classmethod
    def of(cls, spells: Spells, first: int, period: int, horizon_days: int) -> "Renewal":
        """What the periods from ``first`` up to but without ``period`` show."""
        rows = spells.within(first, period)
        group, day, size = spells.group[rows], spells.day[rows], len(spells.key) + 1
        starts = np.flatnonzero(np.append(True, group[1:] != group[:-1])[: len(group)])
        ends = np.append(starts[1:], len(group)) - 1
        owner = group[starts]
        gap = np.zeros(len(group))
        gap[1:] = day[1:] - day[:-1]
        gap[starts] = 0.0
        lone = starts == ends

        def spread(values: Rows, *, two: bool = False) -> Numbers:
            found = np.full(size, np.nan)
            found[owner] = np.where(lone, np.nan, values) if two else values
            return found

        least = gap.copy()
        least[starts] = np.inf
        full = len(group) > 0
        last_period = np.full(size, -1, np.int64)
        last_period[owner] = spells.period[rows][ends]
        return cls(
            n=np.bincount(group, minlength=size).astype(np.float64),
            first=spread(day[starts]),
            last=spread(day[ends]),
            gaps=np.bincount(group, gap, size),
            squares=np.bincount(group, gap**2, size),
            longest=spread(np.maximum.reduceat(gap, starts) if full else gap, two=True),
            shortest=spread(np.minimum.reduceat(least, starts) if full else gap, two=True),
            latest=spread(gap[ends], two=True),
            last_period=last_period,
            now=period * horizon_days,
            group=group,
            day=day,
        )

    @property
    def elapsed(self) -> Numbers:
        """(K + 1,) days since the last active day."""
        return self.now - self.last

    @property
    def mean_gap(self) -> Numbers:
        """(K + 1,) NaN below two active days."""
        return self.gaps / np.where(self.n > 1, self.n - 1, np.nan)

    @property
    def gap_deviation(self) -> Numbers:
        """(K + 1,) standard deviation of the gaps; NaN below two active days."""
        mean = self.mean_gap
        inside = self.squares / np.where(self.n > 1, self.n - 1, np.nan) - mean**2
        deviation: Numbers = np.sqrt(np.maximum(inside, 0))
        return deviation

    def decayed(self, days: float) -> Numbers:
        """(K + 1,) active days, each worth exp(-age / days)."""
        return np.bincount(self.group, np.exp((self.day - self.now) / days), len(self.n))

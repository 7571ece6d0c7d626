"""Alibaba 2014: four behaviours of 884 people towards brands, by day, and what to learn from."""

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.domain.events import ITEM_BEHAVIOURS, EventType
from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.intent.counters import counter_table
from ml.intent.table import Table

FILE = Path("alibaba2014") / "t_alibaba_data.csv.gz"
FIRST_DAY = date(2013, 4, 15)
"""Day 0; the file has no year, and those who used it take this one."""

TYPES = (EventType.CLICK, EventType.PURCHASE, EventType.FAVORITE, EventType.CART)
"""What the file calls 0, 1, 2, 3."""

WINDOW_DAYS = 60
HORIZON_DAYS = 14
FIRST_CUTOFF = 15
"""The first day that is learned from daily; before it there is hardly a past to count."""

FIRST_SPACED = 25
NEGATIVE_SHARE = 0.1
"""Part of the pairs without a purchase that daily lessons keep; they weigh ten times as much."""


def load(folder: Path) -> Interactions:
    """Read the file from the folder of all public data sets; days become milliseconds."""
    with gzip.open(folder / FILE, "rt", encoding="utf-8", newline="") as lines:
        rows = np.array(list(csv.reader(lines))[1:])
    people, user = np.unique(rows[:, 0], return_inverse=True)
    brands, item = np.unique(rows[:, 1], return_inverse=True)
    dates, when = np.unique(rows[:, 3], return_inverse=True)
    days = np.array([(_date(text) - FIRST_DAY).days for text in dates.tolist()])
    codes = np.array([ITEM_BEHAVIOURS[kind].code for kind in TYPES])
    return Interactions.of(
        user=user,
        item=item,
        code=codes[rows[:, 2].astype(np.int64)],
        ts=days[when] * DAY_MS,
        user_ids=people.tolist(),
        catalogue=Catalogue.of(brands.tolist()),
    )


def pairs_at(data: Interactions, day: int, horizon_days: int = HORIZON_DAYS) -> Table:
    """Pool A1 at the start of a day: all pairs touched in the window, with counters and labels."""
    return counter_table(data, day * DAY_MS, window_days=WINDOW_DAYS, horizon_days=horizon_days)


def day_of(table: Table) -> NDArray[np.int64]:
    """(P,) the cutoff of each pair in days."""
    return table.cutoff // DAY_MS


@dataclass(frozen=True, slots=True)
class Lessons:
    """
    Labelled pairs to learn from on any day, none of whose label windows ends later.

    Attributes:
        sampled: of every day some pairs; the rest of the fields stand beside them.
        draw: (P,) float64, uniform; a pair without a purchase is kept below ``NEGATIVE_SHARE``.
        bought: for each horizon in days (P,) bool.
        spaced: all pairs of the days that are whole horizons before a refit.
    """

    sampled: Table
    draw: NDArray[np.float64]
    bought: dict[int, NDArray[np.bool_]]
    spaced: dict[int, Table]

    @classmethod
    def of(
        cls, data: Interactions, refits: Sequence[int], horizons: Sequence[int], seed: int
    ) -> "Lessons":
        """Count once for all refits."""
        rng = np.random.default_rng(seed)
        wanted = {day for refit in refits for day in _spaced_days(refit)}
        parts, draws, spaced = [], [], {}
        bought: dict[int, list[NDArray[np.bool_]]] = {days: [] for days in horizons}
        for day in range(FIRST_CUTOFF, max(refits) - min(horizons) + 1):
            table = pairs_at(data, day, max(horizons))
            if day in wanted:
                spaced[day] = replace(table, label=_bought(data, table, day, HORIZON_DAYS))
            draw = rng.random(len(table))
            # Kept for any horizon; the draw decides again for each, so no later label shows.
            part = table.take(table.label | (draw < NEGATIVE_SHARE))
            draws.append(draw[table.label | (draw < NEGATIVE_SHARE)])
            parts.append(part)
            for days, found in bought.items():
                found.append(_bought(data, part, day, days))
        return cls(
            Table.join(parts),
            np.concatenate(draws),
            {days: np.concatenate(found) for days, found in bought.items()},
            spaced,
        )

    def daily(self, day: int, horizon_days: int) -> Table:
        """Of all days whose labels of ``horizon_days`` had ended by ``day``."""
        label = self.bought[horizon_days]
        is_known = day_of(self.sampled) + horizon_days <= day
        weight = np.where(label, 1.0, 1.0 / NEGATIVE_SHARE).astype(np.float32)
        told = replace(self.sampled, label=label, weight=weight)
        return told.take(is_known & (label | (self.draw < NEGATIVE_SHARE)))

    def every_horizon(self, day: int) -> Table:
        """All pairs of the days 14, 28, ... before ``day``."""
        return Table.join([self.spaced[one] for one in _spaced_days(day)])


def _spaced_days(refit: int) -> list[int]:
    return sorted(range(refit - HORIZON_DAYS, FIRST_SPACED - 1, -HORIZON_DAYS))


def _bought(data: Interactions, table: Table, day: int, days: int) -> NDArray[np.bool_]:
    after = data.between(day * DAY_MS, (day + days) * DAY_MS)
    pair = table.user.astype(np.int64) * data.n_items + table.item
    purchase = ITEM_BEHAVIOURS[EventType.PURCHASE].code
    return np.isin(pair, after.pair[after.code == purchase])


def _date(text: str) -> date:
    month, day = text.split("-")
    return date(FIRST_DAY.year, int(month), int(day))

"""Sums over events by any grouping: how often, how lately, on how many days."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.domain.events import ITEM_BEHAVIOURS, EventType
from ml.behaviours import CART as CART_CODE
from ml.behaviours import N_CODES, PURCHASE, WEIGHTS
from ml.config import DAY_MS
from ml.distinct import distinct

Rows = NDArray[Any]
Numbers = NDArray[np.float64]

LOOK, FAVOURITE, CART, BUY, BACK = range(5)
"""Kinds of behaviour: ``BACK`` takes interest back, ``LOOK`` is all that is nothing else."""

SPANS = (1, 3, 7, 14, 30)
"""Days that are counted apart; the whole window follows as the last span."""

KIND = np.where(WEIGHTS < 0, BACK, LOOK)
"""Kind of each behaviour code."""
KIND[ITEM_BEHAVIOURS[EventType.FAVORITE].code] = FAVOURITE
KIND[CART_CODE] = CART
KIND[PURCHASE] = BUY


@dataclass(frozen=True, slots=True)
class Ages:
    """
    Kind and age of N events, oldest first.

    Shapes:
        kind: (N,) int
        age:  (N,) float64, days before the moment, at least 0
        span: (N,) int, the shortest span that reaches back to the event
    """

    kind: Rows
    age: Numbers
    span: Rows

    @classmethod
    def of(cls, code: Rows, ts: Rows, moment: int, window_days: int) -> "Ages":
        """As seen from ``moment``; spans longer than the window end with it."""
        age = np.maximum(moment - ts, 0) / DAY_MS
        limits = np.minimum((*SPANS, window_days), window_days)
        span = np.minimum(np.searchsorted(limits, age, side="left"), len(SPANS))
        return cls(KIND[np.clip(code, 0, N_CODES - 1)], age, span)

    def take(self, rows: Rows) -> "Ages":
        """Some of the events, by mask or positions."""
        return Ages(self.kind[rows], self.age[rows], self.span[rows])


@dataclass(frozen=True, slots=True)
class Tally:
    """
    Sums of n groups and, as row n, of a group without events.

    Shapes:
        counts: (n + 1, kinds, spans), events of the kind within the span
        newest: (n + 1, kinds + 1), days since the last event of the kind, and of any; NaN: none
        oldest: (n + 1,), days since the first event; NaN: none
        days, buy_days: (n + 1,), days with an event, with a purchase
        buy_gap: (n + 1,), mean days between purchase days; NaN below two
    """

    counts: Rows
    newest: Numbers
    oldest: Numbers
    days: Numbers
    buy_days: Numbers
    buy_gap: Numbers

    @classmethod
    def of(cls, group: Rows, n: int, ages: Ages) -> "Tally":
        """Sum up; ``group`` is the group of each event."""
        bought = ages.kind == BUY
        buyers, buys = group[bought], ages.age[bought]
        buy_days, apart = active_days(buyers, n, buys), _oldest(buyers, n, buys)
        newest = _newest(group, n, ages)
        with np.errstate(invalid="ignore"):
            gap = (apart - newest[:, BUY]) / np.where(buy_days > 1, buy_days - 1, np.nan)
        return cls(
            counts=_counts(group, n, ages),
            newest=newest,
            oldest=_oldest(group, n, ages.age),
            days=active_days(group, n, ages.age),
            buy_days=buy_days,
            buy_gap=gap,
        )

    @classmethod
    def side_by_side(cls, groupings: Sequence[tuple[Rows, int, Rows]], ages: Ages) -> list["Tally"]:
        """
        Several groupings in one pass, which for the few events of one person is what costs.

        Args:
            groupings: the group of each event, how many groups there are, and which of the events
                of ``ages`` those are.
        """
        start = np.cumsum([0, *(n + 1 for _, n, _ in groupings)]).tolist()
        begun = zip(groupings, start, strict=False)
        group = np.concatenate([one.astype(np.int64) + begin for (one, *_), begin in begun])
        rows = np.concatenate([rows for *_, rows in groupings])
        whole = cls.of(group, start[-1], ages.take(rows))
        return [whole._part(slice(*ends)) for ends in pairwise(start)]

    def _part(self, rows: slice) -> "Tally":
        return Tally(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def count(self, kind: int, days: int | None = None) -> Rows:
        """(n + 1,) events of a kind in one of ``SPANS``, or in the whole window."""
        found: Rows = self.counts[:, kind, -1 if days is None else SPANS.index(days)]
        return found

    def times(self, wanted: Iterable[tuple[int, int | None]]) -> list[Rows]:
        """``count`` of each kind and span, one after the other."""
        return [self.count(kind, days) for kind, days in wanted]

    def total(self, days: int | None = None) -> Rows:
        """(n + 1,) events of any kind."""
        found: Rows = self.counts[:, :, -1 if days is None else SPANS.index(days)].sum(axis=1)
        return found


def active_days(group: Rows, n: int, age: Numbers) -> Numbers:
    """(n + 1,) distinct days before the moment on which the group had events."""
    day = np.maximum(np.ceil(age).astype(np.int64) - 1, 0)
    width = int(day.max(initial=0)) + 1
    active = distinct(group.astype(np.int64) * width + day)
    return np.bincount(active // width, minlength=n + 1).astype(np.float64)


def smoothed(part: Rows, whole: Rows, mean: float, strength: float = 5.0) -> Numbers:
    """A rate that starts from ``mean`` as from ``strength`` observations."""
    rate: Numbers = (part + strength * mean) / (whole + strength)
    return rate


def _counts(group: Rows, n: int, ages: Ages) -> Rows:
    kinds, spans = BACK + 1, len(SPANS) + 1
    cell = (group.astype(np.int64) * kinds + ages.kind) * spans + ages.span
    flat = np.bincount(cell, minlength=(n + 1) * kinds * spans)
    return np.cumsum(flat.reshape(n + 1, kinds, spans), axis=2)


def _newest(group: Rows, n: int, ages: Ages) -> Numbers:
    # Events come oldest first and numpy keeps the last of repeated positions.
    newest = np.full((n + 1, BACK + 2), np.nan)
    newest[group, ages.kind] = ages.age
    newest[group, -1] = ages.age
    return newest


def _oldest(group: Rows, n: int, age: Numbers) -> Numbers:
    oldest = np.full(n + 1, np.nan)
    oldest[group[::-1]] = age[::-1]
    return oldest

"""What is asked of the towers in learning: the next event, or what follows a moment."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ml.config import DAY_MS
from ml.fusion.batches import gather, positions, windows
from ml.fusion.config import Ahead, FusionConfig
from ml.fusion.people import Events
from ml.fusion.plans import Plans
from ml.ranking.sequences import Sequences


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """
    The questions of a batch.

    Shapes, B rows, P answers:
        at:     (P,) int64, the events that are to be foretold
        first:  how many of them, leading, are foretold from the vector of somebody unknown
        row, step: (P - first,) int64, whose state foretells the others
        moment: (B,) int64 and place (B,), what each row asks about, or ``None``
    """

    events: Events
    at: NDArray[np.int64]
    row: NDArray[np.int64]
    step: NDArray[np.int64]
    first: int = 0
    moment: NDArray[np.int64] | None = None
    place: NDArray[np.int32] | None = None


class Questions(Protocol):
    """All that is asked in an epoch: ``lengths`` (rows,) events of each row."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Events of each row."""

    def ask(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Asked:
        """Some of the rows as a batch."""


class NextEvents:
    """After each event: what comes next?"""

    def __init__(self, past: Sequences, config: FusionConfig) -> None:
        """Cut the sequences into pieces."""
        self._past = past
        self._asks_first = config.first
        self._begin, self._end = windows(past, config.steps)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Events of each piece that are read."""
        return self._end - self._begin

    def ask(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Asked:
        """Nothing is drawn."""
        begin = self._begin[rows]
        events = gather(self._past, begin, self._end[rows])
        row, step = np.nonzero(events.item.numpy() < self._past.n_items)
        firsts = begin[np.isin(begin, self._past.start)] if self._asks_first else begin[:0]
        at = np.concatenate([firsts, begin[row] + step + 1])
        return Asked(events=events, at=at, row=row, step=step, first=len(firsts))


class Baskets:
    """At each moment: what does somebody take within the horizon?"""

    def __init__(
        self, past: Sequences, config: FusionConfig, ahead: Ahead, plans: Plans | None
    ) -> None:
        """Find who has events before a moment and within the horizon after it."""
        if past.ts is None:
            raise ValueError("moments can be asked about only where events have times")
        self._past, self._plans, self._targets = past, plans, ahead.targets
        end = first_from(past, ahead.moments)  # (M, S)
        until = first_from(past, ahead.moments + int(ahead.days * DAY_MS))
        which, who = np.nonzero((end > past.start[:-1]) & (until > end))
        self._who, self._moment = who, ahead.moments[which]
        self._end, self._until = end[which, who], until[which, who]
        self._begin = np.maximum(self._end - config.steps, past.start[who])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Events before the moment that are read."""
        return self._end - self._begin

    def ask(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Asked:
        """Draws the targets, as many for everybody."""
        end, moment = self._end[rows], self._moment[rows]
        share = rng.random((len(rows), self._targets))
        at = end[:, None] + (share * (self._until[rows] - end)[:, None]).astype(np.int64)
        place = None if self._past.place is None else self._past.place[self._who[rows]]
        events = asked_at(self._past, self._begin[rows], end, moment, place, self._plans)
        return Asked(
            events=events,
            at=at.ravel(),
            row=np.repeat(np.arange(len(rows)), self._targets),
            step=np.zeros(at.size, np.int64),
            moment=moment,
            place=place,
        )


def asked_at(
    past: Sequences,
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    moment: NDArray[np.int64],
    place: NDArray[np.int32] | None,
    plans: Plans | None,
) -> Events:
    """The events of each row, seen from its moment, with their promotions where plans are given."""
    events = gather(past, begin, end, moment)
    if plans is None or past.ts is None or not len(past.ts):
        return events
    item, ts = events.item.numpy(), past.ts[positions(begin, end)[0]]
    home = None if place is None else place[:, None]
    then, now = plans.at(ts, home, item), plans.at(moment[:, None], home, item)
    return replace(events, then=torch.from_numpy(then), now=torch.from_numpy(now))


def first_from(past: Sequences, moments: NDArray[np.int64]) -> NDArray[np.int64]:
    """(M, S) position of the first event of each sequence at or after each moment."""
    if past.ts is None or not len(past.ts):
        return np.broadcast_to(past.start[:-1], (len(moments), len(past))).copy()
    low, high = int(past.ts.min()), int(past.ts.max()) + 1
    # One number per event that grows through all sequences, so that one search finds them all.
    span = high - low + 1
    key = past.owner * span + (past.ts - low)
    asked = np.arange(len(past)) * span + (np.clip(moments, low, high) - low)[:, None]
    return np.searchsorted(key, asked.ravel()).reshape(asked.shape)

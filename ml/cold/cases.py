"""Questions about people of whom exactly so many events are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.dataset import Interactions
from ml.evaluation.ranking import Cases
from ml.ranking.sequences import Sequences


def lives(data: Interactions, tie: NDArray[np.int64] | None = None) -> Sequences:
    """
    One sequence per person, row k being person k; empty for somebody without events.

    Args:
        tie: (N,) decides between a person's events of the same time; without it, their arrival.
    """
    order = np.lexsort((np.arange(len(data)) if tie is None else tie, data.ts, data.user))
    count = np.bincount(data.user, minlength=data.n_users)
    return Sequences(
        item=data.item[order],
        start=np.append(0, np.cumsum(count)).astype(np.int64),
        n_items=data.n_items,
        code=data.code[order],
        ts=data.ts[order],
    )


def times(sequences: Sequences) -> NDArray[np.int64]:
    """(N,) the times of the events; raises ``ValueError`` where there are none."""
    if sequences.ts is None:
        raise ValueError("cold start needs sequences with times")
    return sequences.ts


def before(sequences: Sequences, cutoff: int) -> Sequences:
    """The events with ts < cutoff; people who have none keep an empty row."""
    return keep(sequences, times(sequences) < cutoff)


def keep(sequences: Sequences, mask: NDArray[np.bool_]) -> Sequences:
    """The events of a (N,) mask, in the same rows."""
    kept = np.append(0, np.cumsum(mask))[sequences.start]
    return Sequences(
        item=sequences.item[mask],
        start=kept.astype(np.int64),
        n_items=sequences.n_items,
        code=None if sequences.code is None else sequences.code[mask],
        ts=None if sequences.ts is None else sequences.ts[mask],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """
    When strangers arrive and how far ahead is asked.

    Attributes:
        cutoff: strangers are known by their events from here on, nothing earlier.
        horizon: milliseconds after the last known event in which the targets lie.
    """

    cutoff: int
    horizon: int

    def cases(
        self, strangers: Sequences, count: int, most: int | None = None
    ) -> tuple[Cases, NDArray[np.int64]]:
        """
        What each touches next when exactly their first ``count`` events are known.

        The targets are the distinct items strictly later than the last known event; with none
        known, those from the first event on, as if asked at the moment of the arrival. Whoever
        has fewer events or no target is no case. The owner is the row in ``strangers``.

        Args:
            most: of more cases, so many are kept, evenly spread over the rows.

        Returns:
            cases: with C questions.
            asked: (C,) int64, when each is asked.
        """
        life = keep(strangers, times(strangers) >= self.cutoff)
        enough = np.flatnonzero(life.lengths >= max(count, 1))
        part = life.take(enough)
        asked = times(part)[part.start[:-1] + max(count - 1, 0)]
        age = times(part) - np.repeat(asked, part.lengths)
        is_target = (age >= 0 if count == 0 else age > 0) & (age < self.horizon)
        goals = _distinct(keep(part, is_target))
        place = np.arange(len(part.item)) - np.repeat(part.start[:-1], part.lengths)
        has = _spread(np.flatnonzero(goals.lengths > 0), most)
        goals = goals.take(has)
        cases = Cases(
            prefixes=keep(part, place < count).take(has),
            target=goals.item,
            target_start=goals.start,
            owner=enough[has],
        )
        return cases, asked[has]


def _spread(rows: NDArray[np.int64], most: int | None) -> NDArray[np.int64]:
    """At most so many of the rows, evenly spread."""
    if most is None or len(rows) <= most:
        return rows
    return rows[np.arange(most) * len(rows) // most]


def _distinct(sequences: Sequences) -> Sequences:
    """Each item of a row once."""
    key = sequences.owner * sequences.n_items + sequences.item
    once = np.zeros(len(key), bool)
    once[np.unique(key, return_index=True)[1]] = True
    return keep(sequences, once)


def joined(parts: Sequence[Cases]) -> Cases:
    """All cases one after the other; none of them may leave items out."""
    prefixes = [part.prefixes for part in parts]
    codes = [one.code for one in prefixes if one.code is not None]
    together = Sequences(
        item=np.concatenate([one.item for one in prefixes]),
        start=_starts([one.start for one in prefixes]),
        n_items=prefixes[0].n_items,
        code=np.concatenate(codes) if len(codes) == len(prefixes) else None,
        ts=np.concatenate([times(one) for one in prefixes]),
    )
    return Cases(
        prefixes=together,
        target=np.concatenate([part.target for part in parts]),
        target_start=_starts([part.target_start for part in parts]),
        owner=np.concatenate([part.owner for part in parts]),
    )


def _starts(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Borders of rows that are laid one part behind the other."""
    lengths = np.concatenate([np.diff(part) for part in parts])
    return np.append(0, np.cumsum(lengths)).astype(np.int64)

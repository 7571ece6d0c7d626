"""Sessions of real shops as text, in the split that the papers on sessions use."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.ranking import Cases
from ml.ranking.sequences import Sequences


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionData:
    """Sessions to learn from, in order of time, and later cases, several of each session."""

    past: Sequences
    cases: Cases


def read(folder: Path) -> SessionData:
    """
    Read ``train_sessions.txt.gz`` and ``test_cases.txt.gz``; item ids start at 1 in the files.

    A line of the first is a session, of the second a prefix, a tab and the next item.
    """
    past, lengths = _numbers(folder / "train_sessions.txt.gz")
    asked, asked_lengths = _numbers(folder / "test_cases.txt.gz")
    n_items = int(max(past.max(), asked.max())) + 1
    end = np.cumsum(asked_lengths)
    prefix = np.delete(asked, end - 1)
    prefixes = Sequences(item=prefix, start=_starts(asked_lengths - 1), n_items=n_items)
    target = asked[end - 1]
    return SessionData(
        past=Sequences(item=past, start=_starts(lengths), n_items=n_items),
        cases=Cases.one_each(prefixes, target, owners(prefixes, target)),
    )


def owners(prefixes: Sequences, target: NDArray[np.int32]) -> NDArray[np.int64]:
    """
    (C,) the session of each case, where those of a session come one after the other.

    The next shorter prefix of a session is the one before without its last item, and that item
    is what comes next.
    """
    length = prefixes.lengths
    last = prefixes.item[prefixes.start[1:] - 1]
    goes_on = (length[1:] == length[:-1] - 1) & (target[1:] == last[:-1])
    rows = np.flatnonzero(goes_on) + 1
    part = prefixes.take(rows)
    before = prefixes.take(rows - 1).without_last()
    same = np.bincount(part.owner, part.item != before.item, len(rows)) == 0
    is_first = np.ones(len(prefixes), bool)
    is_first[rows[same]] = False
    return np.cumsum(is_first) - 1


def _numbers(path: Path) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    with gzip.open(path, "rt") as lines:
        rows = [line.split() for line in lines]
    lengths = np.array([len(row) for row in rows], np.int64)
    return np.array([int(word) - 1 for row in rows for word in row], np.int32), lengths


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.append(0, np.cumsum(lengths)).astype(np.int64)

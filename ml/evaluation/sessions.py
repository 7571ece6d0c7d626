"""Will this visit buy? Asked after the same number of events in every visit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import PURCHASE
from ml.ranking.sequences import Sequences

LENGTHS = (1, 3, 5, 10)
"""After how many events the question is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCases:
    """
    Visits that were still open after a number of events.

    Shapes, C visits:
        prefixes: C sequences of exactly ``length`` events
        session:  (C,) int64, the position of the visit
        label:    (C,) bool, a purchase comes later in the visit
    """

    length: int
    prefixes: Sequences
    session: NDArray[np.int64]
    label: NDArray[np.bool_]


def session_cases(sessions: Sequences, length: int, *, purchase: int = PURCHASE) -> SessionCases:
    """
    Ask after exactly ``length`` events.

    Prefixes of different lengths that end where the visit buys give the answer away by their
    length. Here all have the same one; shorter visits and those that have bought by then are not
    asked.

    Raises:
        ValueError: the sequences say nothing about kinds of behaviour.
    """
    if sessions.code is None:
        raise ValueError("whether a visit buys needs sequences with codes")
    place = np.arange(len(sessions.item)) - np.repeat(sessions.start[:-1], sessions.lengths)
    buys, owner, n = sessions.code == purchase, sessions.owner, len(sessions)
    early = np.bincount(owner, buys & (place < length), minlength=n) > 0
    late = np.bincount(owner, buys & (place >= length), minlength=n) > 0
    asked = np.flatnonzero((sessions.lengths >= length) & ~early)
    begin = sessions.start[:-1][asked]
    return SessionCases(
        length=length,
        prefixes=sessions.cut(begin, begin + length),
        session=asked.astype(np.int64),
        label=late[asked],
    )

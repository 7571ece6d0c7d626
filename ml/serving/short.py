"""The few items of a large catalogue that may come into a person's list."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.distinct import distinct

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scored:
    """
    Scores of some items; the others have none.

    Shapes:
        rows: (n,) positions, ascending; values: (n,)
    """

    rows: Rows
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """
    Items that are worth a look, as a run has found by looking at all of them for some people.

    What a person is shown lies mostly in categories that they touch, so most of a catalogue needs
    a look only by those who touch its category.

    Shapes, V items:
        for_all: (V,) bool, came into lists of people who do not touch its category
        for_own: (V,) bool, came into lists of people who do
    """

    for_all: NDArray[np.bool_]
    for_own: NDArray[np.bool_]


class ShortRows:
    """A shortlist by category, for a look at it in a fraction of a millisecond."""

    def __init__(
        self, short: Shortlist, category: NDArray[np.int32], is_listed: NDArray[np.bool_]
    ) -> None:
        """Sort the items by category once; items without one are nobody's own."""
        self._for_all = np.flatnonzero(short.for_all & is_listed)
        own = np.flatnonzero(short.for_own & is_listed & (category >= 0))
        self._own = own[np.argsort(category[own], kind="stable")]
        n = int(category.max(initial=-1)) + 1
        self._start = np.searchsorted(category[self._own], np.arange(n + 1))

    def of(self, categories: NDArray[Any], others: NDArray[Any]) -> Rows:
        """
        What somebody may be shown who touches these categories, ascending.

        Args:
            others: further items to look at.
        """
        parts = [self._own[self._start[c] : self._start[c + 1]] for c in categories.tolist()]
        return distinct(np.concatenate([self._for_all, others, *parts])).astype(np.int64)

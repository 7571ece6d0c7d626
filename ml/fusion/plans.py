"""What is on promotion where and when, laid out so that a batch can look it up at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.intent.promotions import EVERYWHERE, Promotions

KINDS = ("leaflet", "display")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """
    Plans of promotion by period; made before their time, so what is asked about may use them.

    Shapes, W periods, P places, C items that are ever promoted, K kinds, V items:
        begin:     the first moment of the first period, milliseconds UTC; others follow at once
        period_ms: length of each
        value:     (W, P + 1, C + 1, K) float16, 0 to 1: whether it is on; the last place has the
                   share of all places, for whoever has none of them; the last item is never on
        place:     (P,) int64 ascending, as in ``Sequences.place``
        item:      (C,) int64 ascending
        column:    (V + 1,) int64, where each item stands in ``value``
    """

    begin: int
    period_ms: int
    value: NDArray[np.float16]
    place: NDArray[np.int64]
    item: NDArray[np.int64]
    column: NDArray[np.int64]

    @classmethod
    def of(
        cls, promotions: Promotions, *, begin: int, end: int, period_ms: int, n_items: int
    ) -> "Plans":
        """Every period that begins in [begin, end); a promotion counts in all that it touches."""
        starts = range(begin, end, period_ms)
        place = np.unique(promotions.store[promotions.store != EVERYWHERE]).astype(np.int64)
        item = np.unique(promotions.item).astype(np.int64)
        if len(item) and item[-1] >= n_items:
            raise ValueError(f"a promoted item lies outside the {n_items} of the catalogue")
        value = np.zeros((len(starts), len(place) + 1, len(item) + 1, len(KINDS)), np.float16)
        for grid, start in zip(value, starts, strict=True):
            _fill(grid, promotions.running(start, start + period_ms), place, item)
        column = np.full(n_items + 1, len(item), np.int64)
        column[item] = np.arange(len(item))
        return cls(
            begin=begin, period_ms=period_ms, value=value, place=place, item=item, column=column
        )

    @property
    def n_items(self) -> int:
        """Of the catalogue."""
        return len(self.column) - 1

    def at(
        self, moment: NDArray[np.int64], place: NDArray[Any] | None, item: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """
        Whether items are on promotion; outside the periods nothing is.

        Shapes:
            moment: any shape, milliseconds UTC; place and item of shapes that go with it
            returns: their common shape, then K, float32
        """
        period = (moment - self.begin) // self.period_ms
        known = (period >= 0) & (period < len(self.value))
        column = np.where(known, self.column[item], len(self.item))
        row = self._row(place) if place is not None else len(self.place)
        found: NDArray[np.float32] = self.value[np.where(known, period, 0), row, column].astype(
            np.float32
        )
        return found

    def _row(self, place: NDArray[Any]) -> NDArray[np.int64]:
        found = np.searchsorted(self.place, place)
        inside = np.minimum(found, len(self.place) - 1)
        is_known = self.place[inside] == place if len(self.place) else np.zeros(found.shape, bool)
        return np.where(is_known, found, len(self.place))


def _fill(
    grid: NDArray[np.float16], now: Promotions, place: NDArray[np.int64], item: NDArray[np.int64]
) -> None:
    """Write one period: (P + 1, C + 1, K)."""
    column = np.searchsorted(item, now.item)
    everywhere = now.store == EVERYWHERE
    row = np.searchsorted(place, now.store)
    for kind, code in enumerate((now.leaflet, now.display)):
        here, wide = (code > 0) & ~everywhere, (code > 0) & everywhere
        grid[row[here], column[here], kind] = 1
        grid[-1, :, kind] = grid[:-1, :, kind].mean(axis=0, dtype=np.float32) if len(place) else 0
        grid[:, column[wide], kind] = 1

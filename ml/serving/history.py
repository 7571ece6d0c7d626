"""What a person did lately, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class PastEvents(Protocol):
    """Columns of equal length, in any order; a price of ``None`` or NaN is unknown."""

    @property
    def item_ids(self) -> Sequence[str]:
        """Items."""

    @property
    def codes(self) -> Sequence[int]:
        """``Behaviour.code`` of each event."""

    @property
    def ts(self) -> Sequence[int]:
        """Milliseconds UTC."""

    @property
    def prices(self) -> Sequence[float | None]:
        """Minor units of one piece."""


@dataclass(frozen=True, slots=True)
class History:
    """A plain ``PastEvents``."""

    item_ids: Sequence[str] = ()
    codes: Sequence[int] = ()
    ts: Sequence[int] = ()
    prices: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class KnownEvents:
    """The events on items that the model knows, inside a window, oldest first."""

    item: NDArray[np.int64]
    code: NDArray[np.int8]
    ts: NDArray[np.int64]
    price: NDArray[np.float32]


def known_events(
    history: PastEvents, index: dict[str, int], *, start_ms: int, end_ms: int
) -> KnownEvents:
    """Turn ids into positions; drops unknown items and what lies outside start < ts ≤ end."""
    item = np.array([index.get(item_id, -1) for item_id in history.item_ids], np.int64)
    ts = np.array(history.ts, np.int64)
    code = np.array(history.codes, np.int8)
    price = np.array([np.nan if value is None else value for value in history.prices], np.float32)
    if not len(item) == len(ts) == len(code) == len(price):
        raise ValueError("the columns of a history differ in length")
    rows = np.flatnonzero((item >= 0) & (ts > start_ms) & (ts <= end_ms))
    rows = rows[np.argsort(ts[rows], kind="stable")]
    return KnownEvents(item[rows], code[rows], ts[rows], price[rows])

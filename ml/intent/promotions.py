"""What is promoted when and where; plans, so known before their time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVERYWHERE = -1
"""Stands for all stores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotions:
    """
    Promotions, sorted by start.

    Shapes, M promotions:
        item: (M,) int32, position in the catalogue
        start, end: (M,) int64, milliseconds; running in [start, end)
        store: (M,) int32, -1: everywhere
        leaflet: (M,) int8, kind of advertisement, 0: none
        display: (M,) int8, kind of place in the shop, 0: none
    """

    item: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    store: NDArray[np.int32]
    leaflet: NDArray[np.int8]
    display: NDArray[np.int8]

    @classmethod
    def of(
        cls,
        *,
        item: Any,
        start: Any,
        end: Any,
        store: Any = None,
        leaflet: Any = None,
        display: Any = None,
    ) -> "Promotions":
        """From columns in any order; without kinds every promotion is a leaflet of kind 1."""
        order = np.argsort(np.asarray(start, np.int64), kind="stable")
        n = len(order)
        shop = np.full(n, EVERYWHERE) if store is None else np.asarray(store)
        paper = np.ones(n) if leaflet is None and display is None else leaflet
        paper = np.zeros(n) if paper is None else np.asarray(paper)
        place = np.zeros(n) if display is None else np.asarray(display)
        return cls(
            item=np.asarray(item, np.int32)[order],
            start=np.asarray(start, np.int64)[order],
            end=np.asarray(end, np.int64)[order],
            store=shop[order].astype(np.int32),
            leaflet=paper[order].astype(np.int8),
            display=place[order].astype(np.int8),
        )

    def __len__(self) -> int:
        """Number of promotions."""
        return len(self.item)

    def running(self, start: int, end: int) -> "Promotions":
        """Those that run at some moment of [start, end)."""
        early = slice(0, int(np.searchsorted(self.start, end, side="left")))
        rows = np.flatnonzero(self.end[early] > start)
        return Promotions(
            item=self.item[rows],
            start=self.start[rows],
            end=self.end[rows],
            store=self.store[rows],
            leaflet=self.leaflet[rows],
            display=self.display[rows],
        )

    def grid(
        self, start: int, end: int, n_stores: int, n_items: int
    ) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Kinds of leaflet and display by (store, item) in [start, end), the largest code wins."""
        now = self.running(start, end)
        grids = []
        for kind in (now.leaflet, now.display):
            grid = np.zeros((n_stores, n_items), np.int8)
            wide = now.store == EVERYWHERE
            np.maximum.at(grid, (now.store[~wide], now.item[~wide]), kind[~wide])
            if wide.any():
                line = np.zeros(n_items, np.int8)
                np.maximum.at(line, now.item[wide], kind[wide])
                grid = np.maximum(grid, line)
            grids.append(grid)
        return grids[0], grids[1]

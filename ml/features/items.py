"""What the shop's last weeks say about each item, as of one moment."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import CART, N_CODES, PURCHASE
from ml.config import DAY_MS
from ml.dataset import Interactions
from ml.distinct import distinct

SMOOTHING = 5.0
"""Pseudo-observations at the shop's mean that a rate starts from (m of the definitions)."""

POPULARITY_HALF_LIFE_DAYS = 30.0
MONTH_MS = 30 * DAY_MS
WEEK_MS = 7 * DAY_MS


@dataclass(frozen=True)
class ItemCounters:
    """
    Counters of every item at a cutoff, from events before it.

    Shapes:
        price:      (V,) float32, the last price seen, else the catalogue's; NaN where unknown
        conversion: (V,) float32, buyers / people who touched it in 30 days, smoothed
        slope:      (V,) float32, log((events in 7 days + 1) / (in the 7 days before + 1))
        week:       (V,) float32, events in the last 7 days
        popularity: (V,) float32, weighted events of the window, halved every 30 days
        cart_to_buy: the shop's share of carted pairs that were bought later
    """

    price: NDArray[np.float32]
    conversion: NDArray[np.float32]
    slope: NDArray[np.float32]
    week: NDArray[np.float32]
    popularity: NDArray[np.float32]
    cart_to_buy: float

    @cached_property
    def log_price(self) -> NDArray[np.float32]:
        """(V,) natural logarithm of the price."""
        return np.log(self.price)


def item_counters(data: Interactions, cutoff: int, window_days: int) -> ItemCounters:
    """Count what happened in the window that ends before ``cutoff``."""
    window = data.between(cutoff - window_days * DAY_MS, cutoff)
    week = _events(data, cutoff - WEEK_MS, cutoff)
    week_before = _events(data, cutoff - 2 * WEEK_MS, cutoff - WEEK_MS)
    return ItemCounters(
        price=_prices(data, cutoff),
        conversion=_conversion(data.between(cutoff - MONTH_MS, cutoff)),
        slope=np.log((week + 1) / (week_before + 1)).astype(np.float32),
        week=week.astype(np.float32),
        popularity=_popularity(window, cutoff),
        cart_to_buy=_shop_cart_to_buy(window),
    )


def carted_then_bought(
    pair: NDArray[np.int64], code: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """
    The carted pairs, and which of them were bought after they were first put into the cart.

    Args:
        pair, code: events in order of time.
    """
    carts = np.flatnonzero(code == CART)
    pairs, first = np.unique(pair[carts], return_index=True)
    first_cart = carts[first]
    buys = np.flatnonzero(code == PURCHASE)[::-1]
    bought, last = np.unique(pair[buys], return_index=True)
    last_buy = np.append(buys[last], -1)
    spot = np.searchsorted(bought, pairs)
    spot[(spot == len(bought)) | (np.append(bought, -1)[spot] != pairs)] = len(bought)
    return pairs, last_buy[spot] > first_cart


def _events(data: Interactions, start: int, end: int) -> NDArray[np.int64]:
    return np.bincount(data.between(start, end).item, minlength=data.n_items)


def _prices(data: Interactions, cutoff: int) -> NDArray[np.float32]:
    """The newest price each item was traded at; of repeated positions numpy keeps the last."""
    past = data.before(cutoff)
    price = data.catalogue.price.copy()
    known = ~np.isnan(past.price)
    price[past.item[known]] = past.price[known]
    return price


def _conversion(month: Interactions) -> NDArray[np.float32]:
    touched = distinct(month.pair)
    bought = distinct(month.pair[month.code == PURCHASE])
    people = np.bincount(touched % max(month.n_items, 1), minlength=month.n_items)
    buyers = np.bincount(bought % max(month.n_items, 1), minlength=month.n_items)
    mean = len(bought) / max(len(touched), 1)
    return ((buyers + SMOOTHING * mean) / (people + SMOOTHING)).astype(np.float32)


def _popularity(window: Interactions, cutoff: int) -> NDArray[np.float32]:
    age_days = (cutoff - window.ts) / DAY_MS
    code = np.clip(window.code, 0, N_CODES - 1)
    worth = window.weights[code] * 0.5 ** (age_days / POPULARITY_HALF_LIFE_DAYS)
    total = np.bincount(window.item, weights=worth, minlength=window.n_items)
    return np.maximum(total, 0.0).astype(np.float32)


def _shop_cart_to_buy(window: Interactions) -> float:
    carted, bought = carted_then_bought(window.pair, window.code)
    return float(bought.sum()) / len(carted) if len(carted) else 0.0

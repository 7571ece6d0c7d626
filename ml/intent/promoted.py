"""Columns of promotions: what is advertised in the period, and who answers to that."""

from functools import partial

import numpy as np

from ml.intent.hazards import PAST
from ml.intent.moment import Columns, Moment
from ml.intent.spells import Numbers, Rows

SHARES_BACK = 4
"""Periods whose shares of advertising stores are seen, the asked one included."""


def promotion(at: Moment) -> Columns:
    """Leaflet and display in the person's store, in all stores, and the pair's own past answers."""
    history = at.history
    if history.promotions is None:
        return {}
    leaflet, display = at.flags_of(at.user, at.item)
    slot = history.slot[at.item]
    rates = kind_rates(at)
    each = item_promotions(at)
    found: Columns = {
        "leaflet": leaflet,
        "display": display,
        "leaflet_rate": rates[0][np.minimum(leaflet, len(rates[0]) - 1)],
        "display_rate": rates[1][np.minimum(display, len(rates[1]) - 1)],
        **{name: values[slot] for name, values in each.items()},
        **_own_answers(at),
    }
    answer = np.stack([each["repeat_plain"], each["repeat_leaflet"]])
    found["leaflet_repeat"] = answer[(leaflet > 0).astype(np.int64), slot]
    return found


def item_promotions(at: Moment) -> dict[str, Numbers]:
    """(Q,) each of the asked items, by name."""
    return at.history.once(("item_promotions", at.period), lambda: _item_promotions(at))


def _item_promotions(at: Moment) -> dict[str, Numbers]:
    leaflet = [_shares(at, at.period - k)[0] for k in range(SHARES_BACK)]
    display = [_shares(at, at.period - k)[1] for k in range(SHARES_BACK)]
    plain, promoted = _answers(at)
    return {
        "leaflet_share": leaflet[0],
        "display_share": display[0],
        "leaflet_share_1": leaflet[1],
        "display_share_1": display[1],
        "leaflet_change": leaflet[0] - leaflet[1],
        "display_change": display[0] - display[1],
        "leaflet_share_past": np.mean(leaflet[1:], axis=0),
        "display_share_past": np.mean(display[1:], axis=0),
        "repeat_plain": plain,
        "repeat_leaflet": promoted,
        "leaflet_lift": np.log(promoted / plain),
    }


def _shares(at: Moment, period: int) -> tuple[Numbers, Numbers]:
    """(Q,) shares of the stores with a leaflet and with a display for the item."""
    history = at.history

    def make() -> tuple[Numbers, Numbers]:
        stores = history.known_stores(period)
        leaflet, display = history.flags(period)
        n = max(int(stores.sum()), 1)
        return tuple(
            (grid[stores][:, history.asked] > 0).sum(axis=0) / n for grid in (leaflet, display)
        )

    return history.once(("shares", period), make)


def _answers(at: Moment) -> tuple[Numbers, Numbers]:
    """(Q,) share of active pairs bought without and with a leaflet, each drawn to the whole."""
    history, n = at.history, at.history.n_asked
    active, bought = np.zeros((2, n)), np.zeros((2, n))
    for period in range(max(at.period - PAST, 0), at.period):
        if not history.remembers(("state", period)):
            continue
        one, won = history.once(("answers", period), partial(_answered, at, period))
        active, bought = active + one, bought + won
    whole = (bought.sum(axis=0) + 0.4) / (active.sum(axis=0) + 20)
    rate = (bought + 20 * whole) / (active + 20)
    return rate[0], rate[1]


def _answered(at: Moment, period: int) -> tuple[Rows, Rows]:
    state, n = at.history.state(period), at.history.n_asked
    cell = state.mailed.astype(np.int64) * n + at.history.slot[state.item]
    active = np.bincount(cell, minlength=2 * n).reshape(2, n)
    return active, np.bincount(cell, state.bought, 2 * n).reshape(2, n)


def kind_rates(at: Moment) -> tuple[Numbers, Numbers]:
    """Lift of each kind of leaflet and display over the items' usual sales, last 13 periods."""
    history = at.history
    rows = history.rows(max(at.period - PAST, 0), at.period)
    rates = []
    for kinds, which in ((history.mailed[rows], 0), (history.shown[rows], 1)):
        offers = np.zeros(128)
        for period in range(max(at.period - PAST, 0), at.period):
            offers += history.once(("offers", period, which), partial(_offers, at, period, which))
        sold = np.bincount(kinds.astype(np.int64), minlength=128)
        rates.append((sold + 1.0) / (offers + 1000.0))
    return rates[0], rates[1]


def _offers(at: Moment, period: int, which: int) -> Numbers:
    """How often each kind stood in a store, weighted by how well its items sell."""
    history = at.history
    stores = history.known_stores(period)
    grid = history.flags(period)[which][stores][:, history.asked]
    return np.bincount(grid.ravel().astype(np.int64), minlength=128).astype(np.float64)


def _own_answers(at: Moment) -> Columns:
    """Shares of the pair's purchases under a leaflet, a display, a discount."""
    history = at.history
    rows = history.rows(at.first, at.period)
    spot = history.bought.find(history.user[rows] * history.n_items + history.item[rows])
    size = len(history.bought.key) + 1
    lines = np.bincount(spot, minlength=size).astype(np.float64)
    lines[lines == 0] = np.nan
    lines[-1] = np.nan
    parts = {
        "pair_leaflet": history.mailed[rows] > 0,
        "pair_display": history.shown[rows] > 0,
        "pair_discount": history.discount[rows],
    }
    return {name: (np.bincount(spot, part, size) / lines)[at.spot] for name, part in parts.items()}

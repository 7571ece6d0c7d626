"""Columns of the item alone: how many buy it, whether they come back, what it costs now."""

import numpy as np

from ml.intent.history import History
from ml.intent.moment import Columns, Moment
from ml.intent.spells import Numbers, Rows


def item_columns(at: Moment) -> Columns:
    """What the whole shop does with the item."""
    each, slot = items(at), at.history.slot[at.item]
    return {f"item_{name}": values[slot] for name, values in each.items()}


def items(at: Moment) -> dict[str, Numbers]:
    """(Q,) each of the asked items, by name."""
    return at.history.once(("items", at.period), lambda: _items(at))


def _items(at: Moment) -> dict[str, Numbers]:
    history = at.history
    n, slot, asked = history.n_asked, history.slot, history.asked
    owner = slot[history.bought.key % history.n_items] if len(history.bought.key) else slot[:0]
    weekly = [
        np.bincount(owner, history.bought.active(t)[:-1], n) if t >= 0 else np.zeros(n)
        for t in range(at.period - 26, at.period)
    ]
    sold = np.cumsum(weekly[::-1], axis=0)
    state = at.state
    found = {
        **{f"buyers_{k}": sold[k - 1] for k in (1, 2, 4, 13, 26)},
        "trend_1": (sold[0] + 1) / (sold[12] / 13 + 1),
        "trend_2": (sold[1] / 2 + 1) / (sold[12] / 13 + 1),
        "trend_4": (sold[3] / 4 + 1) / (sold[12] / 13 + 1),
        **_group_trends(history, sold),
        "pool": np.bincount(slot[state.item], minlength=n).astype(np.float64),
        "gap": at.item_gap[asked],
        **_prices(at),
    }
    return found | _repeats(at)


def _group_trends(history: History, sold: Rows) -> dict[str, Numbers]:
    """Late sales of the item's kind and category against their usual ones: seasons."""
    found = {}
    for name, codes in zip(("kind", "category"), history.levels.narrow, strict=True):
        code = codes[history.asked].astype(np.int64)
        late, usual = (np.bincount(code, one)[code] for one in (sold[1] / 2, sold[12] / 13))
        found[f"{name}_trend"] = (late + 1) / (usual + 1)
    return found


def _prices(at: Moment) -> dict[str, Numbers]:
    history, n = at.history, at.history.n_items
    mean, off = {}, {}
    for k in (1, 4, 26):
        rows = history.rows(max(at.period - k, 0), at.period)
        item, price = history.item[rows], history.price[rows].astype(np.float64)
        known = np.isfinite(price)
        lines = np.bincount(item[known], minlength=n)[history.asked].astype(np.float64)
        lines[lines == 0] = np.nan
        mean[k] = np.bincount(item[known], price[known], n)[history.asked] / lines
        every = np.bincount(item, minlength=n)[history.asked] + 1.0
        off[k] = np.bincount(item, history.discount[rows], n)[history.asked] / every
    return {
        "price": mean[26],
        "price_ratio_1": mean[1] / mean[26],
        "price_ratio_4": mean[4] / mean[26],
        "discount_1": off[1],
        "discount_26": off[26],
    }


def _repeats(at: Moment) -> dict[str, Numbers]:
    """Share of the active pairs that were bought, last k periods; of items, kinds, categories."""
    history = at.history
    kind, category = (one[history.asked].astype(np.int64) for one in history.levels.narrow)
    n, found = history.n_asked, {}
    active, bought = np.zeros(n), np.zeros(n)
    for k in range(1, 14):
        if history.remembers(("state", at.period - k)):
            one, won = _by_item(at, at.period - k)
            active, bought = active + one, bought + won
        if k not in (1, 2, 4, 13):
            continue
        base = (bought.sum() + 0.25) / (active.sum() + 10)
        of_category = _pooled(active, bought, category, base)
        of_kind = _pooled(active, bought, kind, of_category)
        found[f"repeat_{k}"] = (bought + 20 * of_kind) / (active + 20)
        if k < 13:
            found[f"kind_repeat_{k}"] = of_kind
            found[f"category_repeat_{k}"] = of_category
    return found


def _pooled(active: Numbers, bought: Numbers, codes: Rows, prior: Numbers | float) -> Numbers:
    """(Q,) rate of the item's group, drawn to the prior."""
    above, below = np.bincount(codes, bought), np.bincount(codes, active)
    rate: Numbers = (above[codes] + 20 * prior) / (below[codes] + 20)
    return rate


def _by_item(at: Moment, period: int) -> tuple[Rows, Rows]:
    history = at.history

    def make() -> tuple[Rows, Rows]:
        state, n = history.state(period), history.n_asked
        slot = history.slot[state.item]
        return np.bincount(slot, minlength=n), np.bincount(slot, state.bought, n)

    return history.once(("by_item", period), make)

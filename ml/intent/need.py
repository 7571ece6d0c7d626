"""Columns of the need behind the item: what the person bought of the same sort, and when."""

import numpy as np

from ml.distinct import distinct
from ml.intent.moment import Columns, Moment
from ml.intent.spells import Renewal, Rows, Spells


def need(at: Moment) -> Columns:
    """Silence and rhythm of the kind and the category, and the item's part in them."""
    history, levels = at.history, at.history.levels
    own_elapsed, own_days = at.pair.elapsed[at.spot], at.pair.n[at.spot]
    found: Columns = {}
    for name, spells, codes, code in (
        ("kind", history.by_kind, levels.kind, at.kind),
        ("category", history.by_category, levels.category, at.category),
    ):
        row = spells.find(at.user * (int(codes.max(initial=0)) + 1) + code)
        group = at.renewal(spells)
        found |= _silence(name, group, row)
        latest = {k: spells.count_lines(at.period - k, at.period)[row] for k in (1, 2, 4, 13, 26)}
        found[f"{name}_lines_1"] = latest[1]
        found[f"{name}_lines_4"] = latest[4]
        found[f"{name}_trend"] = (latest[4] + 1) / (latest[26] * 4 / 26 + 1)
        found[f"{name}_loyalty"] = own_days / np.maximum(latest[26], 1)
        found[f"{name}_loyalty_13"] = history.bought.count(at.period - 13, at.period)[
            at.spot
        ] / np.maximum(latest[13], 1)
        found[f"{name}_ahead"] = own_elapsed - group.elapsed[row]
        found[f"{name}_others"] = (
            latest[2] - history.bought.count_lines(at.period - 2, at.period)[at.spot]
        )
        found[f"{name}_items"] = _distinct(at, codes)[row_of(at, codes, code)]
    return found


def row_of(at: Moment, codes: Rows, code: Rows) -> Rows:
    """(P,) cell of (person, group)."""
    return at.user * (int(codes.max(initial=0)) + 1) + code


def _silence(name: str, group: Renewal, row: Rows) -> Columns:
    elapsed, gap = group.elapsed, group.mean_gap
    columns = {
        "days": group.n,
        "elapsed": elapsed,
        "gap": gap,
        "gap_ratio": elapsed / gap,
        "gap_variation": group.gap_deviation / gap,
        "elapsed_of_longest": elapsed / group.longest,
        "decayed_30": group.decayed(30),
    }
    return {f"{name}_{column}": values[row] for column, values in columns.items()}


def _distinct(at: Moment, codes: Rows) -> Rows:
    """(U * C,) how many different items of the group the person has in the window."""
    state, size = at.state, int(codes.max(initial=0)) + 1
    cell = state.user.astype(np.int64) * size + codes[state.item]
    return np.bincount(cell, minlength=at.history.n_users * size).astype(np.float32)


def groups(spells: Spells, at: Moment) -> Rows:
    """Groups that were active in the window."""
    return distinct(spells.group[spells.within(at.first, at.period)])

"""Columns of the pair's own rhythm: when it is due again."""

import numpy as np

from ml.intent.moment import Columns, Moment
from ml.intent.spells import Numbers, Rows


def timing(at: Moment) -> Columns:
    """Counts, silences and expected silences of each pair."""
    history, spot, pair = at.history, at.spot, at.pair
    bought, period = history.bought, at.period
    elapsed, mean, deviation = pair.elapsed, pair.mean_gap, pair.gap_deviation
    expected = at.expected_gap
    item = np.append(bought.key % max(history.n_items, 1), 0)
    spread = np.sqrt(
        (
            np.nan_to_num(deviation) ** 2 * np.maximum(pair.n - 1, 0)
            + 2 * (0.7 * at.item_gap[item]) ** 2
        )
        / (pair.n + 1)
    )
    half = history.config.horizon_days / 2
    weeks = np.maximum(np.ceil((at.now - pair.first) / history.config.horizon_days), 1)
    ever, old = bought.count_lines(0, period), bought.count_lines(0, at.first)
    tenure = at.now - _first_day(at)
    columns: dict[str, Numbers] = {
        "days": pair.n,
        **{f"days_{k}": bought.count(period - k, period) for k in (1, 2, 4, 8, 13)},
        "lines": bought.count_lines(at.first, period),
        "elapsed": elapsed,
        "gap_mean": mean,
        "gap_ratio": elapsed / mean,
        "gap_variation": deviation / mean,
        "gap_longest": pair.longest,
        "gap_shortest": pair.shortest,
        "gap_latest": pair.latest,
        "elapsed_of_longest": elapsed / pair.longest,
        "elapsed_of_latest": elapsed / pair.latest,
        "decayed_20": pair.decayed(20),
        "decayed_60": pair.decayed(60),
        "decayed_150": pair.decayed(150),
        "period_rate": pair.n / weeks,
        "expected_gap": expected,
        "expected_ratio": elapsed / expected,
        "expected_z": (elapsed + half - expected) / spread,
        "due_before_end": np.exp(-np.abs(elapsed + half - expected) / spread),
        "lines_ever": ever,
        "lines_39": bought.count_lines(max(period - 39, 0), period),
        "lines_old_rate": old / max(at.first, 1),
    }
    found = {name: values[spot] for name, values in columns.items()}
    found["rate_ever"] = ever[spot] / np.maximum(tenure[at.user] / history.config.horizon_days, 1)
    found |= _trips(at) | _amounts(at)
    return found


def _first_day(at: Moment) -> Numbers:
    """(U,) day of each person's first purchase; later than now where there is none."""
    trips = at.history.trips
    first = np.full(at.history.n_users, np.inf)
    start = np.flatnonzero(np.append(True, np.diff(trips.group) != 0)[: len(trips.group)])
    first[trips.key[trips.group[start]]] = trips.day[start]
    return np.where(first < at.now, first, at.now - 1.0)


def _trips(at: Moment) -> Columns:
    """The same silence counted in the person's shopping days."""
    trips, pair, spot = at.history.trips, at.pair, at.spot
    width = int(max(trips.day.max(initial=0), at.now)) + 2
    cell = trips.group.astype(np.int64) * width + trips.day
    person = trips.find(at.user) * width
    end = np.searchsorted(cell, person + at.now)
    last, first = (np.nan_to_num(day[spot]).astype(np.int64) for day in (pair.last, pair.first))
    since = (end - np.searchsorted(cell, person + last, side="right")).astype(np.float64)
    ever = (end - np.searchsorted(cell, person + first)).astype(np.float64)
    never = pair.n[spot] == 0
    since[never], ever[never] = np.nan, np.nan
    rate = (pair.n[spot] + 0.2) / (ever + 2)
    return {
        "trips_since": since,
        "trip_rate": rate,
        "trips_over_gap": since * pair.n[spot] / np.maximum(ever, 1),
    }


def _amounts(at: Moment) -> Columns:
    """How much was bought last time, against usual: a full larder waits longer."""
    history = at.history
    rows = history.rows(at.first, at.period)
    spot = history.bought.find(history.user[rows] * history.n_items + history.item[rows])
    size, quantity = len(history.bought.key) + 1, history.quantity[rows].astype(np.float64)
    lines: Rows = np.bincount(spot, minlength=size)
    mean = np.bincount(spot, quantity, size) / np.where(lines > 0, lines, np.nan)
    last = np.full(size, np.nan)
    last[spot] = quantity
    mean[-1] = last[-1] = np.nan
    return {"quantity": mean[at.spot], "quantity_last": (last / mean)[at.spot]}

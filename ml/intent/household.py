"""Columns of the person: how often they shop, how much, and whether they come back to things."""

import numpy as np

from ml.intent.moment import Columns, Moment
from ml.intent.spells import Numbers, Rows


def household(at: Moment) -> Columns:
    """The person's rhythm and habits, and the department's share in them."""
    each = people(at)
    found: Columns = {f"person_{name}": values[at.user] for name, values in each.items()}
    share = at.history.by_department.count_lines(at.first, at.period)
    size = int(at.history.levels.department.max(initial=0)) + 1
    own = share[at.history.by_department.find(at.user * size + at.department)]
    found["department_share"] = own / np.maximum(each["lines_26"][at.user], 1)
    return found


def people(at: Moment) -> dict[str, Numbers]:
    """(U,) each, by name."""
    return at.history.once(("people", at.period), lambda: _people(at))


def _people(at: Moment) -> dict[str, Numbers]:
    history, period = at.history, at.period
    n = history.n_users
    trips, spells = at.trips, history.trips
    spot = spells.find(np.arange(n))
    counts = {k: spells.count(period - k, period)[spot] for k in (1, 2, 4, 8, 13, 26)}
    lines = {k: spells.count_lines(period - k, period)[spot] for k in (1, 2, 4, 8, 13, 26)}
    spend, off, mailed = _sums(at)
    elapsed, gap = trips.elapsed[spot], trips.mean_gap[spot]
    weeks = (np.sum([spells.active(t) for t in range(period - k, period)], axis=0) for k in (4, 13))
    weeks_4, weeks_13 = (one[spot].astype(np.float64) for one in weeks)
    latest = [spells.count(period - k, period - k + 1)[spot] for k in range(1, 7)]
    return {
        **{f"trips_{k}": one for k, one in counts.items()},
        **{f"lines_{k}": one for k, one in lines.items()},
        **{f"trips_ago_{k + 1}": one for k, one in enumerate(latest)},
        "weeks_4": weeks_4,
        "weeks_13": weeks_13,
        "lines_per_trip": lines[13] / np.maximum(counts[13], 1),
        "lines_trend": (lines[4] + 5) / (lines[13] * 4 / 13 + 5),
        "elapsed": elapsed,
        "gap": gap,
        "gap_deviation": trips.gap_deviation[spot],
        "gap_latest": trips.latest[spot],
        "gap_longest": trips.longest[spot],
        "gap_ratio": elapsed / gap,
        "spend_1": spend[0],
        "spend_4": spend[1],
        "discount": off,
        "mailed": mailed,
        "weekday_last": (at.now - np.nan_to_num(elapsed)) % 7,
        **_repeats(at),
    }


def _sums(at: Moment) -> tuple[list[Numbers], Numbers, Numbers]:
    history, n = at.history, at.history.n_users
    spend = []
    for k in (1, 4):
        rows = history.rows(at.period - k, at.period)
        paid = np.nan_to_num(history.price[rows]) * history.quantity[rows]
        spend.append(np.log1p(np.bincount(history.user[rows], paid, n)))
    rows = history.rows(at.first, at.period)
    user = history.user[rows]
    count = np.bincount(user, minlength=n) + 10.0
    off = np.bincount(user, history.discount[rows], n) / count
    mailed = np.bincount(user, history.mailed[rows] > 0, n) / count
    return spend, off, mailed


def _repeats(at: Moment) -> dict[str, Numbers]:
    """Share of the person's active pairs that were bought in the last k periods."""
    history, n = at.history, at.history.n_users
    base, found = 0.025, {}
    active, bought = np.zeros(n), np.zeros(n)
    for k in range(1, 14):
        if history.remembers(("state", at.period - k)):
            one, won = _by_person(at, at.period - k)
            active, bought = active + one, bought + won
        if k in (1, 2, 4, 8, 13):
            found[f"repeat_{k}"] = (bought + 20 * base) / (active + 20)
    found["active"] = np.bincount(at.state.user, minlength=n).astype(np.float64)
    return found


def _by_person(at: Moment, period: int) -> tuple[Rows, Rows]:
    history = at.history

    def make() -> tuple[Rows, Rows]:
        state = history.state(period)
        n = history.n_users
        return np.bincount(state.user, minlength=n), np.bincount(state.user, state.bought, n)

    return history.once(("by_person", period), make)

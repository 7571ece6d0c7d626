"""What the need of a person for a kind of item looks like, one line per (person, kind)."""

import numpy as np

from ml.intent.hazards import pooled
from ml.intent.household import people
from ml.intent.moment import Moment
from ml.intent.spells import Numbers, Rows

SAMPLE = 8
"""One line in so many is learned from; there are as many lines as pairs."""

PERSON = (
    *("trips_1", "trips_4", "trips_13", "weeks_4", "weeks_13", "elapsed", "gap", "gap_ratio"),
    *("lines_1", "lines_4", "repeat_1", "repeat_4", "repeat_13", "lines_per_trip", "active"),
)


def kind_lines(at: Moment, group: Rows) -> tuple[Numbers, Rows]:
    """
    Values and outcomes of groups, which are positions in ``history.by_kind``.

    Shapes:
        returns: (G, n) float32 and (G,) bool, whether anything of the kind was bought
    """
    history, spells = at.history, at.history.by_kind
    size = int(history.levels.kind.max(initial=0)) + 1
    user, kind = np.divmod(spells.key[group], size)
    silence = at.renewal(spells)
    each = people(at)
    counts = [spells.count_lines(at.period - k, at.period)[group] for k in (1, 2, 4, 13, 26)]
    own = [
        silence.n,
        silence.elapsed,
        silence.mean_gap,
        silence.elapsed / silence.mean_gap,
        silence.gap_deviation / silence.mean_gap,
        silence.elapsed / silence.longest,
        silence.latest,
        silence.decayed(20),
        silence.decayed(60),
    ]
    columns = [one[group] for one in own] + counts
    columns += [each[name][user] for name in PERSON]
    columns += _above(at, user, kind) + _pool(at, user, kind) + _shop(at, kind)
    values = np.stack(columns, axis=1).astype(np.float32)
    return values, spells.active(at.period)[group]


def _above(at: Moment, user: Rows, kind: Rows) -> list[Numbers]:
    """The category of the kind: silence and counts."""
    history = at.history
    above = np.zeros(int(history.levels.kind.max(initial=0)) + 1, np.int64)
    above[history.levels.kind] = history.levels.category
    size = int(history.levels.category.max(initial=0)) + 1
    row = history.by_category.find(user * size + above[kind])
    silence = at.renewal(history.by_category)
    latest = history.by_category.count_lines(at.period - 4, at.period)
    return [
        silence.n[row],
        silence.elapsed[row],
        (silence.elapsed / silence.mean_gap)[row],
        latest[row],
    ]


def _pool(at: Moment, user: Rows, kind: Rows) -> list[Numbers]:
    """The person's pairs of the kind: how due they are, and how many are advertised."""
    state, size = at.state, int(at.history.levels.kind.max(initial=0)) + 1
    cell = state.user.astype(np.int64) * size + at.history.levels.kind[state.item]
    length = at.history.n_users * size
    leaflet, display = at.flags_of(state.user, state.item)
    hazard = pooled(at)
    weights = (None, hazard, leaflet > 0, display > 0, hazard * (leaflet > 0))
    wanted = user * size + kind
    return [np.bincount(cell, one, length)[wanted] for one in weights]


def _shop(at: Moment, kind: Rows) -> list[Numbers]:
    """How many people buy of the kind, lately and usually."""
    spells, size = at.history.by_kind, int(at.history.levels.kind.max(initial=0)) + 1
    owner = spells.key % size
    found = []
    for first, last in ((1, 0), (2, 0), (4, 0), (13, 0), (26, 0)):
        people_of = spells.count(at.period - first, at.period - last)[:-1]
        found.append(np.bincount(owner, people_of > 0, size))
    return [*(one[kind] for one in found), (found[0] + 1)[kind] / (found[3] / 13 + 1)[kind]]

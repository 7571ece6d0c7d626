"""Columns of what became of pairs in a like position in past periods."""

from functools import partial

import numpy as np

from ml.intent.moment import N_COUNT, N_PHASE, N_RECENCY, Columns, Moment
from ml.intent.spells import Numbers, Rows

PAST = 13
"""Periods that rates are taken from."""


def hazards(at: Moment) -> Columns:
    """Share bought of pairs in the same bins, by ever narrower groups, each drawn to the wider."""
    recency, count, phase = (one.astype(np.int64) for one in at.bins(at.spot))
    slot = at.history.slot[at.item]
    kind, category = (one[at.history.asked] for one in at.history.levels.narrow)
    found: Columns = {
        "hazard": _rate(at, "recency_count")[recency * N_COUNT + count],
        "hazard_phase": _rate(at, "phase_count")[phase * N_COUNT + count],
    }
    for name, bins, size in (
        ("recency", recency, N_RECENCY),
        ("phase", phase, N_PHASE),
        ("count", count, N_COUNT),
    ):
        active, bought = _sums(at, f"item_{name}")
        active, bought = active.reshape(-1, size), bought.reshape(-1, size)
        prior = bought.sum(axis=0) / np.maximum(active.sum(axis=0), 1)
        widest = _shrunk(_grouped(active, category), _grouped(bought, category), prior)
        above = np.zeros(int(kind.max(initial=0)) + 1, np.int64)
        above[kind] = category
        of_kind = _shrunk(_grouped(active, kind), _grouped(bought, kind), widest[above])
        found[f"hazard_kind_{name}"] = of_kind[kind[slot], bins]
        found[f"hazard_item_{name}"] = _shrunk(active, bought, of_kind[kind])[slot, bins]
    return found


def pooled(at: Moment) -> Numbers:
    """(P,) the plainest hazard of the whole pool, in the order of ``at.state``."""
    state = at.state
    cell = state.recency.astype(np.int64) * N_COUNT + state.count
    return _rate(at, "recency_count")[cell]


def _shrunk(active: Numbers, bought: Numbers, prior: Numbers, strength: float = 30.0) -> Numbers:
    rate: Numbers = (bought + strength * prior) / (active + strength)
    return rate


def _grouped(by_item: Numbers, codes: Rows) -> Numbers:
    grouped = np.zeros((int(codes.max(initial=0)) + 1, by_item.shape[1]))
    np.add.at(grouped, codes, by_item)
    return grouped


def _rate(at: Moment, by: str) -> Numbers:
    active, bought = _sums(at, by, periods=8)
    base = bought.sum() / max(active.sum(), 1.0)
    return _shrunk(active, bought, np.full(len(active), base), 20.0)


def _sums(at: Moment, by: str, periods: int = PAST) -> tuple[Numbers, Numbers]:
    past = [
        at.history.once((by, t), partial(_counted, at, by, t))
        for t in range(max(at.period - periods, 0), at.period)
        if at.history.remembers(("state", t))
    ]
    if not past:
        empty = np.zeros(_cells(at, by))
        return empty, empty
    return np.sum([one[0] for one in past], axis=0), np.sum([one[1] for one in past], axis=0)


def _cells(at: Moment, by: str) -> int:
    sizes = {
        "recency_count": N_RECENCY * N_COUNT,
        "phase_count": N_PHASE * N_COUNT,
        "item_recency": at.history.n_asked * N_RECENCY,
        "item_phase": at.history.n_asked * N_PHASE,
        "item_count": at.history.n_asked * N_COUNT,
    }
    return sizes[by]


def _counted(at: Moment, by: str, period: int) -> tuple[Numbers, Numbers]:
    history = at.history
    state = history.state(period)
    cell = {
        "recency_count": lambda: state.recency.astype(np.int64) * N_COUNT + state.count,
        "phase_count": lambda: state.phase.astype(np.int64) * N_COUNT + state.count,
        "item_recency": lambda: (
            history.slot[state.item].astype(np.int64) * N_RECENCY + state.recency
        ),
        "item_phase": lambda: history.slot[state.item].astype(np.int64) * N_PHASE + state.phase,
        "item_count": lambda: history.slot[state.item].astype(np.int64) * N_COUNT + state.count,
    }[by]()
    size = _cells(at, by)
    return (
        np.bincount(cell, minlength=size).astype(np.float32),
        np.bincount(cell, state.bought, size).astype(np.float32),
    )

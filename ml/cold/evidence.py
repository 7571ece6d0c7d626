"""What a few events say about each item: how much likelier they make it than it was before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.cold.cases import times
from ml.cold.follows import Follows, follows
from ml.config import DAY_MS
from ml.ranking.profiles import profiles
from ml.ranking.sequences import Sequences

SLOW_DAYS, FAST_DAYS = 56.0, 3.0
"""Half-lives of popularity: what it is, and where it is heading."""

POPULAR = ("popular", "popular lately")
OWN = ("own", "own again", "own popular", "own count", "own late")
"""Names of evidence; the rest are the levels' lifts."""

PARTS = ("group", "base", "data", "indices", "indptr")

PRIOR = 20.0
"""Events that an item needs before its own rate of return counts as much as that of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """
    Lifts between groups of items: ``P(next is in g | now in f) / P(next is in g)``.

    Shapes, G groups:
        group: (V,) int64, the group of each item
        extra: (G, G) float32, the lift of a pair beyond ``base`` of its row
        base:  (G,) float32, the lift where a pair was never seen
    """

    group: NDArray[np.int64]
    extra: csr_array
    base: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        table: csr_array,
        group: NDArray[np.int64],
        prior: float,
        neighbours: int | None = None,
    ) -> "Level":
        """
        From counts between items; ``prior`` counts are added as if nothing followed.

        Args:
            neighbours: of each row so many pairs are kept, those seen most often.
        """
        n = int(group.max(initial=0)) + 1
        row = np.repeat(group, np.diff(table.indptr))
        pairs = csr_array((table.data, (row, group[table.indices])), shape=(n, n))
        pairs.sum_duplicates()
        total = pairs.sum(axis=1)
        share = (pairs.sum(axis=0) + 1e-3) / (pairs.sum() + 1e-3 * n)
        of_row = np.repeat(np.arange(n), np.diff(pairs.indptr))
        value = pairs.data / (share[pairs.indices] * (total + prior)[of_row])
        kept = _most_seen(pairs, of_row, neighbours)
        cells = (of_row[kept], pairs.indices[kept])
        extra = csr_array((value[kept].astype(np.float32), cells), shape=(n, n))
        return cls(group=group, extra=extra, base=(prior / (total + prior)).astype(np.float32))

    def log_lift(self, asked: csr_array) -> NDArray[np.float32]:
        """
        (S, V) log of the mean lift over each row's events.

        Args:
            asked: (S, V) weights of the events, each row sums to 1 or is empty.
        """
        row = np.repeat(np.arange(asked.shape[0]), np.diff(asked.indptr))
        shape = (asked.shape[0], len(self.base))
        groups = csr_array((asked.data, (row, self.group[asked.indices])), shape=shape)
        lift = (groups @ self.extra).toarray() + (groups @ self.base)[:, None]
        lift[np.diff(asked.indptr) == 0] = 1
        found: NDArray[np.float32] = np.log(lift)[:, self.group]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    Everything that is counted, ready to be asked.

    Shapes, V items, K behaviour codes:
        popular: (2, V) float32, log share of an item in all visits, and its rise of late
        again:   (K, V) float32, log of the chance that an event's item is touched again
        levels:  by name
    """

    popular: NDArray[np.float32]
    again: NDArray[np.float32]
    levels: Mapping[str, Level]

    @property
    def names(self) -> list[str]:
        """The F features, in the order of ``features``."""
        return [*POPULAR, *OWN, *self.levels]

    def features(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(F, S, V) what each prefix says about each item."""
        shape = (len(prefixes), prefixes.n_items)
        asked = _mean_profile(prefixes)
        own, item = prefixes.owner, prefixes.item
        code = np.zeros(len(item), np.int8) if prefixes.code is None else prefixes.code
        slow = self.popular[0]
        table = np.zeros((len(self.names), *shape), np.float32)
        table[: len(POPULAR)] = self.popular[:, None]
        mine, again, popular, count, late = table[len(POPULAR) :][: len(OWN)]
        mine[own, item] = 1
        again[own, item] = -np.inf
        np.maximum.at(again, (own, item), self.again[code, item])
        popular[own, item] = slow[item]
        np.add.at(count, (own, item), 1)
        np.log(count, out=count, where=count > 0)
        behind = prefixes.start[1:][own] - 1 - np.arange(len(item))
        late[own, item] = -np.log1p(behind)  # an item's last event comes last and stays
        for row, level in zip(table[len(POPULAR) + len(OWN) :], self.levels.values(), strict=True):
            row[:] = level.log_lift(asked)
            row[own, item] = 0  # what one had comes back at a rate of its own
        return table

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything by name, for a file without pickles."""
        found: dict[str, NDArray[Any]] = {"popular": self.popular, "again": self.again}
        found["levels"] = np.array(list(self.levels))
        for name, level in self.levels.items():
            extra = level.extra
            parts: list[NDArray[Any]] = [level.group, level.base]
            parts += [extra.data, extra.indices, extra.indptr]
            found |= {f"{name}/{k}": part for k, part in zip(PARTS, parts, strict=True)}
        return found

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Evidence":
        """The inverse; raises ``KeyError`` or ``ValueError`` where arrays are missing or odd."""
        levels = {}
        for name in arrays["levels"].tolist():
            group, base, *extra = (arrays[f"{name}/{k}"] for k in PARTS)
            shape = (len(base), len(base))
            levels[name] = Level(group=group, base=base, extra=csr_array(tuple(extra), shape=shape))
        return cls(popular=arrays["popular"], again=arrays["again"], levels=levels)


def gather(
    past: Sequences,
    groups: Mapping[str, NDArray[np.int64]],
    *,
    horizon: int,
    priors: Mapping[str, float],
    n_codes: int,
    ahead: int | None = None,
    neighbours: int | None = None,
) -> Evidence:
    """
    Count everything in the past, as seen from its last event.

    Args:
        ahead, neighbours: bounds on what is counted and kept, as in ``follows`` and ``Level.of``.
    """
    found = follows(past, horizon, n_codes, ahead=ahead)
    every = {"item": np.arange(past.n_items), **groups}
    return Evidence(
        popular=_popular(past),
        again=_again(found),
        levels={
            name: Level.of(found.table, group, priors[name], neighbours)
            for name, group in every.items()
        },
    )


def _most_seen(pairs: csr_array, of_row: NDArray[np.int64], most: int | None) -> NDArray[np.int64]:
    """Which cells to keep, in their order; of equal ones those that come first."""
    if most is None or np.diff(pairs.indptr).max(initial=0) <= most:
        return np.arange(pairs.nnz)
    order = np.lexsort((-pairs.data, of_row))
    place = np.arange(pairs.nnz) - np.repeat(pairs.indptr[:-1], np.diff(pairs.indptr))
    return np.sort(order[place < most])


def _mean_profile(prefixes: Sequences) -> csr_array:
    """(S, V) the share of each item in the events of each row."""
    asked = profiles(prefixes)
    asked.data /= np.repeat(np.maximum(prefixes.lengths, 1), np.diff(asked.indptr))
    return asked


def _popular(past: Sequences) -> NDArray[np.float32]:
    """
    (2, V) log of each item's share of all visits, and how much higher it is of late.

    An item that nobody touched has a hundredth of a visit.
    """
    visits = _visits(past)
    age = ((times(past).max() - times(past)) / DAY_MS)[visits]

    def log_share(half_life: float) -> NDArray[np.float64]:
        worth = np.exp2(-age / half_life)
        count = np.bincount(past.item[visits], worth, past.n_items) + 0.01
        return np.asarray(np.log(count / count.sum()))

    slow = log_share(SLOW_DAYS)
    return np.stack([slow, log_share(FAST_DAYS) - slow]).astype(np.float32)


def _visits(past: Sequences) -> NDArray[np.int64]:
    """The first event of each person on each item and day: crowds count, not zeal."""
    day = times(past) // DAY_MS
    key = past.owner * past.n_items + past.item
    order = np.lexsort((day, key))
    is_first = (np.diff(key[order], prepend=-1) != 0) | (np.diff(day[order], prepend=-1) != 0)
    found: NDArray[np.int64] = order[is_first]
    return found


def _again(found: Follows) -> NDArray[np.float32]:
    """(K, V) log of the chance of a return: the item's own, pulled towards that of the code."""
    overall = (found.again.sum() + 1) / (found.events.sum() + 10)
    of_code = (found.again_by_code + PRIOR * overall) / (found.events_by_code + PRIOR)
    rate = (found.again[None] + PRIOR * of_code[:, None]) / (found.events + PRIOR)
    return np.asarray(np.log(rate), np.float32)

"""The ranker for people of whom hardly anything is known, with weights by how much that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import N_CODES
from ml.cold.cases import Arrival, before, times
from ml.cold.evidence import Evidence, gather
from ml.cold.weights import softmax_weights
from ml.config import DAY_MS
from ml.errors import ModelBroken
from ml.evaluation.ranking import Cases
from ml.ranking.profiles import require_events
from ml.ranking.sequences import Sequences

COUNTS = (0, 1, 2, 3, 4, 5)
"""Weights are learned for exactly so many known events; more events use those of the last."""

BLOCK = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdConfig:
    """
    How the blend learns.

    Attributes:
        horizon_days: what is touched within it counts as next.
        priors: counts by level that are added as if nothing had followed.
        strangers: share of people that the weights are learned from.
        arrivals: shares of the past's events after which these people are taken to arrive.
        candidates: items per case that the weights have to order.
        rounds: how often candidates are chosen anew by the weights so far.
        people: most cases of one arrival and count that the weights are learned from.
        ahead, neighbours: bounds on the counts, as in ``gather``.
        without: evidence that is left out, by name or first word, to see what it is worth.
    """

    horizon_days: float = 7.0
    priors: Mapping[str, float] = field(default_factory=dict)
    prior: float = 30.0
    strangers: float = 0.3
    arrivals: tuple[float, ...] = (0.6, 0.75, 0.9)
    candidates: int = 800
    rounds: int = 2
    people: int | None = None
    ahead: int | None = None
    neighbours: int | None = None
    ridge: float = 3e-3
    without: tuple[str, ...] = ()
    seed: int = 1

    @property
    def horizon(self) -> int:
        """In milliseconds."""
        return int(self.horizon_days * DAY_MS)


class ColdBlend:
    """
    ``Σ w[k, f] · feature f``, k being the number of known events, 5 for more.

    The weights are learned inside of ``fit``: some people are held out of the counts, taken to
    arrive at moments of the past, and what they did next tells which evidence to trust. Then
    everybody is counted.

    Args:
        groups: by name, (V,) int64 from 0 up: the category of each item, its brand and so on.
    """

    def __init__(
        self, groups: Mapping[str, NDArray[np.int64]], config: ColdConfig | None = None
    ) -> None:
        self.groups = dict(groups)
        self.config = config or ColdConfig()
        self.weights = np.zeros((len(COUNTS), 0))
        self.evidence: Evidence | None = None

    def fit(self, past: Sequences) -> None:
        """Learn; raises ``NotEnoughData`` without events and ``ValueError`` without times."""
        require_events(past)
        rng = np.random.default_rng(self.config.seed)
        is_stranger = rng.random(len(past)) < self.config.strangers
        lessons = [
            one
            for cutoff in self._arrivals(past)
            if (one := self._lessons(past, is_stranger, cutoff)) is not None
        ]
        self.recount(past)
        assert self.evidence is not None
        guess = _guess(self.evidence.names) * self._is_used(self.evidence.names)
        self.weights = np.stack([self._learn(k, lessons, guess) for k in range(len(COUNTS))])

    def recount(self, past: Sequences) -> None:
        """Count everybody anew and keep the weights; raises as ``fit`` does."""
        require_events(past)
        self.evidence = self._gather(past)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) log-likeness that each item comes next, up to a constant per row."""
        assert self.evidence is not None, "fit first"
        found = np.empty((len(prefixes), prefixes.n_items), np.float32)
        for begin in range(0, len(prefixes), BLOCK):
            rows = np.arange(begin, min(begin + BLOCK, len(prefixes)))
            part = prefixes.take(rows)
            weight = self.weights[np.minimum(part.lengths, COUNTS[-1])].astype(np.float32)
            found[rows] = _blend(self.evidence.features(part), weight)
        return found

    def save(self, path: Path) -> None:
        """Write weights and evidence as plain arrays into one ``.npz``."""
        assert self.evidence is not None, "fit first"
        np.savez(path, allow_pickle=False, weights=self.weights, **self.evidence.arrays())

    @classmethod
    def load(cls, path: Path) -> "ColdBlend":
        """Ready to be asked; pickles are refused. Raises ``ModelBroken`` for anything else."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            weights = arrays.pop("weights")
            evidence = Evidence.of_arrays(arrays)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise ModelBroken(f"{path.name} is no cold-start blend") from error
        if not np.isfinite(weights).all() or weights.shape != (len(COUNTS), len(evidence.names)):
            raise ModelBroken(f"the weights in {path.name} do not fit its evidence")
        groups = {name: one.group for name, one in evidence.levels.items() if name != "item"}
        one = cls(groups)
        one.weights, one.evidence = weights, evidence
        return one

    def _arrivals(self, past: Sequences) -> list[int]:
        """Moments that leave a horizon behind and something to count before."""
        ts = np.sort(times(past))
        latest = int(ts[-1]) - self.config.horizon
        found = (int(ts[int(share * (len(ts) - 1))]) for share in self.config.arrivals)
        return sorted({min(at, latest) for at in found if min(at, latest) > ts[0]})

    def _gather(self, past: Sequences) -> Evidence:
        config = self.config
        priors = dict.fromkeys(("item", *self.groups), config.prior) | dict(config.priors)
        return gather(
            past,
            self.groups,
            horizon=config.horizon,
            priors=priors,
            n_codes=N_CODES,
            ahead=config.ahead,
            neighbours=config.neighbours,
        )

    def _is_used(self, names: Sequence[str]) -> NDArray[np.float32]:
        """(F,) 0 for evidence that is left out; its weight then stays 0."""
        used = [not {name, name.split()[0]} & set(self.config.without) for name in names]
        return np.array(used, np.float32)

    def _lessons(
        self, past: Sequences, is_stranger: NDArray[np.bool_], cutoff: int
    ) -> tuple[Evidence, list[Cases]] | None:
        known = before(past, cutoff).take(~is_stranger)
        if not len(known.item):
            return None
        arrival = Arrival(cutoff=cutoff, horizon=self.config.horizon)
        strangers = past.take(is_stranger)
        cases = [arrival.cases(strangers, k, self.config.people)[0] for k in COUNTS]
        return self._gather(known), cases

    def _learn(
        self,
        k: int,
        lessons: list[tuple[Evidence, list[Cases]]],
        guess: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        weight = guess
        for _ in range(self.config.rounds):
            parts = [
                _candidates(evidence, cases[k], weight, self.config.candidates)
                for evidence, cases in lessons
                if len(cases[k])
            ]
            if not parts:
                return guess
            features = np.concatenate([part[0] for part in parts])
            features *= self._is_used(lessons[0][0].names)
            right = np.concatenate([part[1] for part in parts])
            start = np.arange(0, len(right) + 1, min(self.config.candidates, parts[0][2]))
            weight = softmax_weights(
                features, start, right, guess, ridge=self.config.ridge, begin=weight
            )
        return weight


def _guess(names: list[str]) -> NDArray[np.float64]:
    """Where learning starts: what is popular, what one had, and a little of everything else."""
    known = {"popular": 1.0, "own again": 1.0, "own popular": -1.0, "own": 4.0}
    return np.array([known.get(name, 0.0 if " " in name else 0.3) for name in names])


def _blend(features: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S, V) from (F, S, V) and (S, F)."""
    found = np.zeros(features.shape[1:], np.float32)
    for row, by_case in zip(features, weight.T, strict=True):
        if by_case.any():
            found += row * by_case[:, None]
    return found


def _candidates(
    evidence: Evidence, cases: Cases, weight: NDArray[np.float64], n: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    """Features and rightness of the n best items of each case by the weights, case by case."""
    n = min(n, cases.prefixes.n_items)
    features, right = [], []
    for rows in cases.blocks(BLOCK):
        found = evidence.features(cases.prefixes.take(rows))
        scores = _blend(found, np.tile(weight.astype(np.float32), (len(rows), 1)))
        best = np.argpartition(-scores, n - 1, axis=1)[:, :n]
        features.append(np.moveaxis(np.take_along_axis(found, best[None], 2), 0, 2))
        is_target = np.zeros(scores.shape, bool)
        count = np.diff(cases.target_start)[rows]
        targets = slice(cases.target_start[rows[0]], cases.target_start[rows[-1] + 1])
        is_target[np.repeat(np.arange(len(rows)), count), cases.target[targets]] = True
        right.append(np.take_along_axis(is_target, best, 1))
    table = np.concatenate(features)
    return table.reshape(-1, table.shape[2]), np.concatenate(right).ravel(), n

"""Learning to learn: a few gradient steps turn what everybody is like into what one is like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.cold.cases import Arrival, times
from ml.config import DAY_MS
from ml.evaluation.ranking import Cases
from ml.ranking.profiles import profiles, require_events
from ml.ranking.sequences import Sequences
from ml.ranking.spectral import spectral_items

COUNTS = (1, 2, 3, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnilConfig:
    """
    How the adaptation is learned.

    Attributes:
        horizon_days: what is touched within it counts as next.
        steps: gradient steps on the vector of a person.
        crowd: the most popular items, which an own item is compared with in a step.
        negatives: items that a target is compared with in learning.
        arrivals: shares of the past's events after which people are taken to arrive.
    """

    horizon_days: float = 7.0
    dim: int = 64
    steps: int = 3
    crowd: int = 1024
    negatives: int = 2048
    arrivals: tuple[float, ...] = (0.3, 0.45, 0.6, 0.75, 0.9)
    epochs: int = 6
    batch: int = 256
    learning_rate: float = 3e-2


class Anil:
    """
    Almost no inner loop: only the vector of the person adapts, item vectors stay fixed.

    ``u₀`` and the step sizes, one per step and coordinate, are learned so that after the steps
    on a stranger's first events the next ones are foretold. The items are spectral vectors of
    what stands near what, and a learned bias begins as the log of popularity.

    Shapes:
        scores: (S, V) float32, ``u · z + bias``

    Source:
        Raghu et al., Rapid learning or feature reuse? (arXiv:1909.09157), with the learned step
        sizes of Meta-SGD (arXiv:1707.09835).
    """

    def __init__(self, config: AnilConfig | None = None, seed: int = 1) -> None:
        self.config = config or AnilConfig()
        self.seed = seed

    def fit(self, past: Sequences) -> None:
        """Learn; raises ``NotEnoughData`` without events and ``ValueError`` without times."""
        require_events(past)
        config = self.config
        count = np.bincount(past.item, minlength=past.n_items)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._z = torch.from_numpy(spectral_items(past, config.dim))
            popular = np.log((count + 0.1) / (count + 0.1).sum()).astype(np.float32)
            self._bias = nn.Parameter(torch.from_numpy(popular))
            self._crowd = torch.from_numpy(np.argsort(-count, kind="stable")[: config.crowd].copy())
            self._start = nn.Parameter(torch.zeros(config.dim))
            self._rate = nn.Parameter(torch.full((config.steps, config.dim), 1.0))
            self._learn(self._lessons(past))

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) after the steps; an empty prefix keeps ``u₀``."""
        with torch.no_grad():
            user = self._adapt(*self._support(prefixes))
            found: NDArray[np.float32] = (user @ self._z.T + self._bias).numpy()
        return found

    def _support(self, prefixes: Sequences) -> tuple[Tensor, Tensor]:
        """(S, dim) the mean vector of the own items, (S, 1) whether there are any."""
        own = profiles(prefixes)
        size = np.maximum(prefixes.lengths, 1).astype(np.float32)[:, None]
        mean = torch.from_numpy((own @ self._z.numpy()) / size)
        return mean, torch.from_numpy((prefixes.lengths > 0).astype(np.float32)[:, None])

    def _adapt(self, own: Tensor, is_known: Tensor) -> Tensor:
        """The gradient of the softmax over the crowd, written out: own mean less expected mean."""
        crowd, bias = self._z[self._crowd], self._bias[self._crowd]
        user = self._start.expand(len(own), -1)
        for rate in self._rate:
            expected = torch.softmax(user @ crowd.T + bias, dim=1) @ crowd
            user = user + rate * (own - expected) * is_known
        return user

    def _lessons(self, past: Sequences) -> list[Cases]:
        horizon = int(self.config.horizon_days * DAY_MS)
        ts = np.sort(times(past))
        cutoffs = {int(ts[int(share * (len(ts) - 1))]) for share in self.config.arrivals}
        arrivals = [Arrival(cutoff=at, horizon=horizon) for at in sorted(cutoffs)]
        return [arrival.cases(past, k)[0] for arrival in arrivals for k in COUNTS]

    def _learn(self, lessons: Sequence[Cases]) -> None:
        config, rng = self.config, np.random.default_rng(self.seed)
        lessons = [one for one in lessons if len(one)]
        if not lessons:
            return
        optimiser = torch.optim.Adam([self._bias, self._start, self._rate], config.learning_rate)
        share = torch.softmax(self._bias.detach(), 0).numpy() ** 0.5
        edges = np.cumsum(share / share.sum())
        for _ in range(config.epochs):
            for one, rows in _shuffled(lessons, config.batch, rng):
                drawn = np.searchsorted(edges, rng.random(config.negatives) * edges[-1])
                q = np.log(config.negatives * share[drawn] / share.sum())
                loss = self._loss(one, rows, drawn, torch.from_numpy(q.astype(np.float32)))
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()

    def _loss(
        self, cases: Cases, rows: NDArray[np.int64], drawn: NDArray[np.int64], q: Tensor
    ) -> Tensor:
        """Mean over people of the mean cross-entropy of their targets."""
        user = self._adapt(*self._support(cases.prefixes.take(rows)))
        count = np.diff(cases.target_start)[rows]
        row = np.repeat(np.arange(len(rows)), count)
        at = np.arange(len(row)) + np.repeat(
            cases.target_start[rows] - np.cumsum(count) + count, count
        )
        target = cases.target[at].astype(np.int64)
        right = (user[row] * self._z[target]).sum(1) + self._bias[target]
        other = torch.logsumexp(user @ self._z[drawn].T + self._bias[drawn] - q, dim=1)[row]
        each = torch.logaddexp(right, other) - right
        return (each / torch.from_numpy(count[row].astype(np.float32))).sum() / len(rows)


def _shuffled(lessons: Sequence[Cases], batch: int, rng: np.random.Generator) -> list[Any]:
    """(cases, rows) of all batches in random order."""
    parts: list[Any] = []
    for one in lessons:
        order = rng.permutation(len(one))
        parts += [(one, order[begin : begin + batch]) for begin in range(0, len(order), batch)]
    return [parts[k] for k in rng.permutation(len(parts))]

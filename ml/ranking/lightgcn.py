"""LightGCN: vectors of people and items, smoothed along the edges between them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import nn
from torch.nn import functional

from ml.ranking.people import PeopleVectors
from ml.ranking.profiles import TIE, popularity, touched
from ml.ranking.sequences import Sequences


@dataclass(frozen=True, slots=True, kw_only=True)
class LightGCNConfig:
    """
    Sizes and training.

    Attributes:
        layers: steps of propagation; the result is the mean over all of them, none included.
        negatives: items that a batch is compared with, drawn alike from the whole catalogue.
        temperature: of the softmax over cosines; the larger, the softer.
        decay: weight of the squared length of the vectors in a batch.
    """

    dim: int = 64
    layers: int = 2
    epochs: int = 30
    batch: int = 8192
    negatives: int = 1024
    temperature: float = 0.2
    learning_rate: float = 0.02
    decay: float = 1e-4


class LightGCN:
    """
    Propagation on the graph of people and items, trained with a sampled softmax.

    Source:
        He et al., LightGCN: Simplifying and Powering Graph Convolution Network for
        Recommendation, 2020 (arXiv:2002.02126). Ours replaces its pairwise loss by a softmax
        over cosines with shared negatives (Wu et al., arXiv:2201.02327), which needs a tenth of
        the epochs.
    """

    def __init__(self, config: LightGCNConfig | None = None, *, seed: int = 0) -> None:
        self._config = config or LightGCNConfig()
        self._seed = seed
        self._items = np.zeros((0, 0), np.float32)
        self._people: PeopleVectors | None = None
        self._popularity = np.zeros(0, np.float32)

    def fit(self, past: Sequences) -> None:
        """Train; raises ``NotEnoughData`` without events."""
        self._popularity = popularity(past)
        rng = np.random.default_rng(self._seed)
        people, items = _train(touched(past), self._config, rng)
        self._items = items
        self._people = PeopleVectors(past, people)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) cosines of the people's vectors with those of the items."""
        assert self._people is not None
        found: NDArray[np.float32] = self._people.of(prefixes) @ self._items.T
        return found + np.float32(TIE) * self._popularity


def _train(
    owned: csr_array, config: LightGCNConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(people, items): (S, d) and (V, d), of length 1."""
    n_people, n_items = owned.shape
    graph = _Graph(owned, config.layers)
    start = rng.normal(0, 0.1, (n_people + n_items, config.dim))
    table = nn.Parameter(torch.tensor(start, dtype=torch.float32))
    optimiser = torch.optim.Adam([table], lr=config.learning_rate)
    person, item = owned.nonzero()
    for _ in range(config.epochs):
        order = rng.permutation(len(person))
        for begin in range(0, len(order), config.batch):
            rows = order[begin : begin + config.batch]
            loss = _loss(graph, table, person[rows], item[rows], config, rng)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    with torch.no_grad():
        smooth = functional.normalize(graph(table), dim=1).numpy()
    return smooth[:n_people], smooth[n_people:]


def _loss(
    graph: "_Graph",
    table: torch.Tensor,
    person: NDArray[Any],
    item: NDArray[Any],
    config: LightGCNConfig,
    rng: np.random.Generator,
) -> torch.Tensor:
    smooth = functional.normalize(graph(table), dim=1)  # (people + items, d)
    other = torch.from_numpy(rng.integers(0, graph.n_items, config.negatives))
    who, what = (torch.from_numpy(one.astype(np.int64)) for one in (person, item))
    asked, right = smooth[who], smooth[graph.n_people + what]
    own = (asked * right).sum(1, keepdim=True) / config.temperature  # (batch, 1)
    wrong = asked @ smooth[graph.n_people + other].T / config.temperature  # (batch, negatives)
    wrong = wrong.masked_fill(what[:, None] == other[None], -torch.inf)
    loss = (torch.logsumexp(torch.cat([own, wrong], dim=1), dim=1) - own[:, 0]).mean()
    length = table[who].square().sum() + table[graph.n_people + what].square().sum()
    return loss + config.decay * length / len(who)


class _Graph:
    """The mean of 0 to ``layers`` steps along edges weighted 1 / √(degree · degree)."""

    def __init__(self, owned: csr_array, layers: int) -> None:
        self.n_people, self.n_items = owned.shape
        self._layers = layers
        person, item = owned.nonzero()
        degrees = np.bincount(person, minlength=self.n_people), np.bincount(item)
        weight = ((degrees[0][person] * degrees[1][item]) ** -0.5).astype(np.float32)
        self._to_people = csr_array((weight, (person, item)), shape=owned.shape)
        self._to_items = csr_array(self._to_people.T)

    def __call__(self, table: torch.Tensor) -> torch.Tensor:
        """(people + items, d) to the same."""
        people, items = table[: self.n_people], table[self.n_people :]
        total = table
        for _ in range(self._layers):
            # The matrix one way is the other way's transpose, which the backward pass needs.
            people, items = (
                _along(self._to_people, self._to_items, items),
                _along(self._to_items, self._to_people, people),
            )
            total = total + torch.cat([people, items])
        return total / (self._layers + 1)


class _Along(torch.autograd.Function):
    """
    A sparse product with a stored transpose for the backward pass.

    SciPy's takes two fifths of the time of torch's.
    """

    @staticmethod
    def forward(ctx: Any, way: csr_array, back: csr_array, x: torch.Tensor) -> torch.Tensor:
        """(n, d) from (m, d)."""
        ctx.back = back
        return torch.from_numpy(way @ x.detach().numpy())

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[None, None, torch.Tensor]:
        """(m, d) from (n, d); the matrices do not learn."""
        return None, None, torch.from_numpy(ctx.back @ slopes[0].numpy())


def _along(way: csr_array, back: csr_array, x: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = _Along.apply(way, back, x)  # type: ignore[no-untyped-call]
    return found

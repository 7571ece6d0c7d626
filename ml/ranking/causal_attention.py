"""SASRec with a head start: causal attention over item vectors that begin as spectral ones."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ml.errors import TrainingDiverged
from ml.fusion.loss import Drawn, sampled_softmax
from ml.ranking.profiles import TIE, popularity
from ml.ranking.sequences import Sequences
from ml.ranking.spectral import spectral_items


@dataclass(frozen=True, slots=True, kw_only=True)
class CausalAttentionConfig:
    """
    Sizes and training.

    Attributes:
        steps: last events that are read.
        batch: sequences per step, of similar length.
        negatives: items that a batch is compared with, drawn by popularity ** ``exponent``.
        head_start: begin with spectral item vectors instead of random ones.
    """

    dim: int = 64
    layers: int = 2
    heads: int = 2
    steps: int = 30
    dropout: float = 0.3
    epochs: int = 10
    batch: int = 256
    negatives: int = 1024
    exponent: float = 0.5
    learning_rate: float = 1e-3
    head_start: bool = True


class CausalAttention:
    """
    A transformer that foretells each next item of a sequence.

    With random vectors it needs some thirty passes over few short sequences, with spectral ones
    ten, and ends higher.

    Source:
        Kang and McAuley, Self-Attentive Sequential Recommendation, 2018 (arXiv:1808.09781).
        Ours counts positions from the end, learns by a softmax over shared negatives with logQ
        correction (arXiv:2507.09331), and begins with spectral vectors.
    """

    def __init__(self, config: CausalAttentionConfig | None = None, *, seed: int = 0) -> None:
        self._config = config or CausalAttentionConfig()
        self._seed = seed
        self._net: _Net | None = None
        self._popularity = np.zeros(0, np.float32)

    def fit(self, past: Sequences) -> None:
        """
        Train; raises ``NotEnoughData`` without events.

        Raises:
            TrainingDiverged: the loss is no number any more.
        """
        self._popularity = popularity(past)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            self._net = _Net(past.n_items, self._config)
            if self._config.head_start:
                self._net.begin_with(spectral_items(past, self._config.dim))
            _train(self._net, past, self._config, np.random.default_rng(self._seed))

    @torch.no_grad()
    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) products of the state after the last event with all items."""
        found = np.zeros((len(prefixes), prefixes.n_items), np.float32)
        asked = np.flatnonzero(prefixes.lengths > 0)
        if len(asked) and self._net is not None:
            self._net.eval()
            part = prefixes.take(asked)
            steps = int(min(part.lengths.max(), self._config.steps))
            items = torch.from_numpy(part.padded(steps, prefixes.n_items).astype(np.int64))
            found[asked] = self._net.answers(self._net(items)[:, -1]).numpy()
        return found + np.float32(TIE) * self._popularity


class _Block(nn.Module):
    """Attention to what came before, then two layers on each place alone."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self._heads, self._dropout = heads, dropout
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.threefold, self.join = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.wide, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, may_see: torch.Tensor) -> torch.Tensor:
        """(batch, steps, dim) to the same; ``may_see`` (batch, 1, steps, steps)."""
        batch, steps, dim = x.shape
        split = self.threefold(self.before(x)).view(batch, steps, 3, self._heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each (batch, heads, steps, dim / heads)
        seen = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=may_see, dropout_p=self._dropout if self.training else 0.0
        )
        x = x + self.drop(self.join(seen.transpose(1, 2).reshape(batch, steps, dim)))
        deep = self.drop(functional.gelu(self.wide(self.between(x))))
        out: torch.Tensor = x + self.drop(self.narrow(deep))
        return out


class _Net(nn.Module):
    """Items to states; the row after the last item stands for "nothing yet"."""

    def __init__(self, n_items: int, config: CausalAttentionConfig) -> None:
        super().__init__()
        self.n_items = n_items
        self.items = nn.Embedding(n_items + 1, config.dim, padding_idx=n_items)
        self.place = nn.Embedding(config.steps, config.dim)
        nn.init.normal_(self.items.weight, std=0.02)
        nn.init.normal_(self.place.weight, std=0.02)
        blocks = [_Block(config.dim, config.heads, config.dropout) for _ in range(config.layers)]
        self.blocks = nn.ModuleList(blocks)
        self.drop, self.last = nn.Dropout(config.dropout), nn.LayerNorm(config.dim)

    def begin_with(self, vectors: NDArray[np.float32]) -> None:
        """Take these directions, at a tenth of the length that a normed state has."""
        scale = 0.1 * vectors.shape[1] ** 0.5
        with torch.no_grad():
            self.items.weight[: self.n_items] = torch.from_numpy(vectors * np.float32(scale))

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """(batch, steps) items to (batch, steps, dim) states."""
        steps = items.shape[1]
        x = self.items(items) * self.items.embedding_dim**0.5
        x = self.drop(x + self.place(torch.arange(steps - 1, -1, -1)))
        may_see = torch.ones(steps, steps, dtype=torch.bool).tril()
        may_see = may_see & (items != self.n_items)[:, None, None]  # (batch, 1, steps, steps)
        # Padding sees itself: a row of the softmax without any entry would be no number.
        may_see = may_see | torch.eye(steps, dtype=torch.bool)
        for block in self.blocks:
            x = block(x, may_see)
        state: torch.Tensor = self.last(x)
        return state

    def answers(self, state: torch.Tensor) -> torch.Tensor:
        """(n, dim) to (n, V)."""
        return state @ self.items.weight[: self.n_items].T


class _Negatives:
    """Items drawn by popularity ** exponent, and the correction that this calls for."""

    def __init__(self, past: Sequences, config: CausalAttentionConfig) -> None:
        share = np.bincount(past.item, minlength=past.n_items) ** config.exponent
        share = share / share.sum()
        self._count = config.negatives
        self._steps = np.cumsum(share)
        expected = np.log(np.maximum(share * config.negatives, 1e-12))
        self._log_expected = expected

    def draw(self, rng: np.random.Generator) -> Drawn:
        """One sample; an item that came several times stands for as many."""
        found = np.searchsorted(self._steps, rng.random(self._count) * self._steps[-1], "right")
        item, times = np.unique(np.minimum(found, len(self._steps) - 1), return_counts=True)
        stands_for = self._log_expected[item] - np.log(times)
        return Drawn(item, torch.from_numpy(stands_for.astype(np.float32)))


def _train(
    net: _Net, past: Sequences, config: CausalAttentionConfig, rng: np.random.Generator
) -> None:
    past = past.take(past.lengths > 1).last(config.steps + 1)
    if not len(past):
        return
    optimiser = torch.optim.Adam(net.parameters(), lr=config.learning_rate, fused=True)
    negatives = _Negatives(past, config)
    net.train()
    for _ in range(config.epochs):
        for rows in _batches(past.lengths, config.batch, rng):
            part = past.take(rows)
            items = part.padded(int(part.lengths.max()), past.n_items)
            loss = _loss(net, torch.from_numpy(items.astype(np.int64)), negatives.draw(rng))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        if not torch.isfinite(loss):
            raise TrainingDiverged("the loss is not finite")


def _batches(
    lengths: NDArray[np.int64], size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Rows of similar length, so that little is padding; batches in a random order."""
    order = np.argsort(lengths + rng.random(len(lengths)), kind="stable")
    for begin in rng.permutation(np.arange(0, len(order), size)):
        yield order[begin : begin + size]


def _loss(net: _Net, items: torch.Tensor, drawn: Drawn) -> torch.Tensor:
    """Mean negative log of the softmax share that the right item has among the negatives."""
    is_asked = items[:, :-1] != net.n_items
    state, right = net(items[:, :-1])[is_asked], items[:, 1:][is_asked]  # (n, dim), (n,)
    others = net.items(torch.from_numpy(drawn.item))  # (negatives, dim)
    return sampled_softmax(state, net.items(right), others, right.numpy(), drawn).mean()

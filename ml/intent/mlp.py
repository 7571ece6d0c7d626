"""Trains the small network; the only module of the intent package that needs torch."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ml.errors import NotEnoughData, TrainingDiverged
from ml.intent.network import SKIP, Network, item_rows
from ml.intent.normal import NormalScores
from ml.intent.table import Table

FIRST_LOGIT = -3.5
"""Where the output starts: about three in a hundred pairs are bought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpSettings:
    """
    Size and training of the network.

    Attributes:
        epochs: more than two overfit on large tables; small ones repeat until ``least_steps``.
    """

    epochs: int = 2
    least_steps: int = 800
    batch: int = 2048
    hidden: tuple[int, int] = (192, 64)
    embedding: int = 12
    dropout: float = 0.25
    rate: float = 2e-3
    warm_up: int = 200
    decay: float = 0.01
    embedding_decay: float = 0.05


class _Mlp(nn.Module):
    """The network of ``ml.intent.network``, with dropout."""

    def __init__(self, inputs: int, items: int, kinds: NDArray[np.int64], how: MlpSettings) -> None:
        super().__init__()
        wide, narrow = how.hidden
        self.item = nn.Embedding(items, how.embedding)
        self.kind = nn.Embedding(int(kinds.max(initial=0)) + 1, how.embedding)
        self.first = nn.Linear(inputs + 2 * how.embedding, wide)
        self.norm = nn.LayerNorm(wide)
        self.second = nn.Linear(wide, narrow)
        self.out = nn.Linear(narrow, 1)
        self.line = nn.Linear(inputs, 1, bias=False)
        self.drop = nn.Dropout(how.dropout)
        self.register_buffer("kinds", torch.from_numpy(kinds))
        for table in (self.item, self.kind):
            nn.init.normal_(table.weight, std=0.1)
            with torch.no_grad():
                table.weight[0] = 0.0
        nn.init.zeros_(self.line.weight)
        nn.init.constant_(self.out.bias, FIRST_LOGIT)

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        """(B, n) inputs and (B,) rows of items to (B,) logits."""
        kinds: Tensor = self.get_buffer("kinds")
        item, kind = self.drop(self.item(row)), self.drop(self.kind(kinds[row]))
        hidden = self.first(torch.cat([x, item, kind], dim=1))  # (B, wide)
        hidden = self.drop(functional.silu(self.norm(hidden)))
        hidden = self.drop(functional.silu(self.second(hidden)))  # (B, narrow)
        logit: Tensor = self.out(hidden) + SKIP * self.line(x)  # (B, 1)
        return logit[:, 0]


@dataclass(frozen=True, slots=True)
class Inputs:
    """
    A table in the form that training reads; made once, used with every seed.

    Shapes:
        x: (P, n) float32; row: (P,) int64; label, weight: (P,) float32
        kinds: (V + 1,) int64
    """

    scores: NormalScores
    x: Tensor
    row: Tensor
    label: Tensor
    weight: Tensor
    kinds: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        table: Table,
        kinds: NDArray[np.int32] | None,
        rng: np.random.Generator,
    ) -> "Inputs":
        """
        Prepare a table.

        Args:
            kinds: (V,) the kind of each item, -1 where unknown; without it all are of one kind.
        """
        if not 0 < int(table.label.sum()) < len(table):
            raise NotEnoughData("one class only", pairs=len(table), positives=table.label.sum())
        n_items = int(table.item.max()) + 1 if kinds is None else len(kinds)
        codes = np.zeros(n_items + 1, np.int64)
        if kinds is not None:
            codes[1:] = kinds + 1
        scores = NormalScores.fit(table.values, rng)
        return cls(
            scores,
            torch.from_numpy(scores.apply(table.values)),
            torch.from_numpy(item_rows(table.item, n_items + 1)),
            torch.from_numpy(table.label.astype(np.float32)),
            torch.from_numpy(table.weight / table.weight.mean()),
            codes,
        )


def train(inputs: Inputs, *, seed: int, settings: MlpSettings | None = None) -> Network:
    """
    Learn a network from prepared pairs.

    Raises:
        TrainingDiverged: a loss is not finite.
    """
    how = settings or MlpSettings()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _Mlp(inputs.x.shape[1], len(inputs.kinds), inputs.kinds, how)
        net.train()
        _descend(net, inputs, how)
    return _arrays(net.eval(), inputs.scores)


def _descend(net: _Mlp, inputs: Inputs, how: MlpSettings) -> None:
    n = len(inputs.label)
    batch = min(how.batch, n)
    per_epoch = n // batch
    epochs = max(how.epochs, -(-how.least_steps // per_epoch))
    tables = [net.item.weight, net.kind.weight]
    dense = [one for one in net.parameters() if all(one is not table for table in tables)]
    optimiser = torch.optim.AdamW(
        [
            {"params": dense, "weight_decay": how.decay},
            {"params": tables, "weight_decay": how.embedding_decay},
        ],
        lr=how.rate,
    )
    total, warm = epochs * per_epoch, min(how.warm_up, epochs * per_epoch // 4 + 1)
    plan = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, max(total - step, 1) / (total - warm + 1))
    )
    for _ in range(epochs):
        order = torch.randperm(n)
        for at in range(per_epoch):
            rows = order[at * batch : (at + 1) * batch]
            logit = net(inputs.x[rows], inputs.row[rows])
            loss = functional.binary_cross_entropy_with_logits(
                logit, inputs.label[rows], weight=inputs.weight[rows]
            )
            if not torch.isfinite(loss):
                raise TrainingDiverged("the loss of the intent network is not finite")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            plan.step()


def _arrays(net: _Mlp, scores: NormalScores) -> Network:
    def plain(tensor: Tensor) -> NDArray[np.float32]:
        return tensor.detach().numpy().astype(np.float32).copy()

    return Network(
        knots=scores.knots,
        knot_scores=scores.scores,
        missing=scores.missing,
        item=plain(net.item.weight),
        kind=plain(net.kind.weight),
        kinds=net.get_buffer("kinds").numpy().copy(),
        first=plain(net.first.weight.T),
        first_bias=plain(net.first.bias),
        norm_gain=plain(net.norm.weight),
        norm_bias=plain(net.norm.bias),
        second=plain(net.second.weight.T),
        second_bias=plain(net.second.bias),
        out=plain(net.out.weight[0]),
        out_bias=plain(net.out.bias),
        line=plain(net.line.weight[0]),
    )

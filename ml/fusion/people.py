"""The user tower: from the events of somebody, whoever it is, to a vector after each event."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ml.features.behaviours import N_CODES
from ml.fusion.config import FusionConfig

GAPS = 16
HOURS = 168
NEVER = -1e9


@dataclass(frozen=True, slots=True)
class Events:
    """
    The events of a batch, left-aligned; padding has the item behind the last one.

    Shapes:
        item, code: (B, T) int64
        gap, hour:  (B, T) int64 buckets, or ``None`` without times
        age:        (B, T, T) float32, row t column s: days from event s to event t, where there
                    are no times the number of events between; 0 where s is later
        length:     (B,) int64
    """

    item: Tensor
    code: Tensor
    gap: Tensor | None
    hour: Tensor | None
    age: Tensor
    length: Tensor


class BehaviourAttention(nn.Module):
    """
    Every state looks back over the states up to itself.

    Shapes:
        states:  (B, T, dim); age (B, T, T) days; code (B, T); returns (B, T, dim)

    Source:
        MODEL 4.2: ``logit += β[h, b] + γ[h, b] log(1 + age)``, readable per behaviour.
    """

    def __init__(self, dim: int, heads: int) -> None:
        """Behaviours start equal."""
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(dim, 3 * dim)
        self.beta = nn.Parameter(torch.zeros(heads, N_CODES))
        self.gamma = nn.Parameter(torch.zeros(heads, N_CODES))

    def forward(self, states: Tensor, events: Events, before: Tensor) -> Tensor:
        """Attend; ``before`` (T, T) is true where column s is not after row t."""
        B, T, dim = states.shape
        parts = self.project(states).view(B, T, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (B, heads, T, dim / heads) each
        score = query @ key.transpose(2, 3) / math.sqrt(dim // self.heads)  # (B, heads, T, T)
        score = score + self.beta[:, events.code].transpose(0, 1)[:, :, None]
        ageing = self.gamma[:, events.code].transpose(0, 1)[:, :, None]
        score = score + ageing * torch.log1p(events.age)[:, None]
        weight = torch.softmax(score.masked_fill(~before, NEVER), dim=-1)
        looked: Tensor = (weight @ value).transpose(1, 2).reshape(B, T, dim)
        return looked


class OwnEdges(nn.Module):
    """
    A mean of the sequence's own items, ``softmax(η[b] - age / τ[b])``.

    Shapes:
        items: (B, T, dim), age (B, T, T); returns (B, T, dim)
    """

    def __init__(self) -> None:
        """τ starts at one day, or one event."""
        super().__init__()
        self.eta = nn.Parameter(torch.zeros(N_CODES))
        self.log_tau = nn.Parameter(torch.zeros(N_CODES))

    def forward(self, items: Tensor, events: Events, before: Tensor) -> Tensor:
        """Average; later events weigh nothing."""
        tau = self.log_tau.exp()[events.code][:, None]
        score = self.eta[events.code][:, None] - events.age / tau
        weight = torch.softmax(score.masked_fill(~before, NEVER), dim=-1)
        return weight @ items


class Block(nn.Module):
    """One transformer block with learned places, as in SASRec (arXiv:1808.09781)."""

    def __init__(self, dim: int, heads: int, steps: int, dropout: float) -> None:
        """Make the layers."""
        super().__init__()
        self.place = nn.Embedding(steps, dim)
        nn.init.normal_(self.place.weight, std=0.02)
        self.attend = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.first = nn.LayerNorm(dim)
        self.second = nn.LayerNorm(dim)
        self.feed = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim)
        )

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        """(B, T, dim) to (B, T, dim), no place sees a later one."""
        x = x + self.place.weight[: x.shape[1]]
        y = self.first(x)
        x = x + self.attend(y, y, y, attn_mask=~before, need_weights=False)[0]
        found: Tensor = x + self.feed(self.second(x))
        return found


class UserTower(nn.Module):
    """
    ``u = LN(W [state ; attention ; own edges])`` after each event; no table of users.

    Shapes:
        items:   (B, T, dim) vectors of the events' items
        returns: (B, T, dim)

    Source:
        MODEL 4.2.
    """

    def __init__(self, config: FusionConfig) -> None:
        """Make the parts that are switched on."""
        super().__init__()
        dim = config.dim
        self.behaviour = nn.Embedding(N_CODES, dim)
        nn.init.zeros_(self.behaviour.weight)
        self.gap = nn.Embedding(GAPS, dim)
        nn.init.normal_(self.gap.weight, std=0.02)
        self.hour = nn.Embedding(HOURS, 4)
        self.context = nn.Linear(4, dim, bias=False)
        self.prior = nn.Parameter(torch.zeros(dim))
        self.encoder = _encoder(config)
        self.attention = BehaviourAttention(dim, config.heads) if config.attention else None
        self.own = OwnEdges() if config.own_edges else None
        parts = sum(part is not None for part in (self.encoder, self.attention, self.own))
        self.join = nn.Linear(max(parts, 1) * dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, items: Tensor, events: Events) -> Tensor:
        """A vector after each event; those at padding mean nothing."""
        steps = items.shape[1]
        before = torch.ones(steps, steps, dtype=torch.bool).tril()
        items = self.dropout(items)
        states = x = self._inputs(items, events)  # (B, T, dim)
        parts = []
        if isinstance(self.encoder, nn.RNNBase):
            states = self.encoder(x)[0]
            parts.append(states)
        elif self.encoder is not None:
            states = self.encoder(x, before)
            parts.append(states)
        if self.attention is not None:
            parts.append(self.attention(states, events, before))
        if self.own is not None:
            parts.append(self.own(items, events, before))
        joined: Tensor = self.norm(self.join(self.dropout(torch.cat(parts or [x], dim=-1))))
        return joined

    def _inputs(self, items: Tensor, events: Events) -> Tensor:
        x: Tensor = items + self.behaviour(events.code)
        if events.gap is not None and events.hour is not None:
            x = x + self.gap(events.gap) + self.context(self.hour(events.hour))
        return x


def _encoder(config: FusionConfig) -> nn.Module | None:
    if config.encoder == "none":
        return None
    if config.encoder == "attention":
        return Block(config.dim, config.heads, config.steps, config.dropout)
    kind = nn.LSTM if config.encoder == "lstm" else nn.GRU
    return kind(config.dim, config.dim, batch_first=True)

"""The user tower: from the events of somebody, whoever it is, to a vector after each event."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ml.behaviours import N_CODES
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
                    are no times the number of events between; 0 where s is later. Or
                    (B, 1, T), days to the moment that is asked about
        length:     (B,) int64
        then, now:  (B, T, K) float32, how much the item was on promotion at the event's time, and
                    is at the asked moment, per kind; or ``None``
    """

    item: Tensor
    code: Tensor
    gap: Tensor | None
    hour: Tensor | None
    age: Tensor
    length: Tensor
    then: Tensor | None = None
    now: Tensor | None = None

    @property
    def is_asked_once(self) -> bool:
        """Whether only the asked moment looks back, not every event."""
        return self.age.shape[1] != self.age.shape[2]

    def asking(self, states: Tensor) -> Tensor:
        """(B, T, ...) to (B, Q, ...): the states that look back, all or the last."""
        if not self.is_asked_once:
            return states
        last = (self.length - 1).clamp(min=0)
        return states[torch.arange(len(states)), last][:, None]

    def before(self) -> Tensor:
        """(1, T, T) or (B, 1, T), true where the one who looks back sees the event."""
        steps = self.item.shape[1]
        if not self.is_asked_once:
            return torch.ones(1, steps, steps, dtype=torch.bool).tril()
        return (torch.arange(steps) < self.length[:, None])[:, None]


class BehaviourAttention(nn.Module):
    """
    Every state looks back over the states up to itself, or the last one alone does.

    Shapes:
        states:  (B, T, dim); age (B, Q, T) days; code (B, T); returns (B, Q, dim)

    Source:
        MODEL 4.2: ``logit += β[h, b] + γ[h, b] log(1 + age)``, readable per behaviour; with
        promotions ``+ δ[h] now``, where ``now`` says whether the item is on promotion when asked.
    """

    def __init__(self, dim: int, heads: int, kinds: int = 0) -> None:
        """Behaviours, and items on promotion and not, start equal."""
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(dim, 3 * dim)
        self.beta = nn.Parameter(torch.zeros(heads, N_CODES))
        self.gamma = nn.Parameter(torch.zeros(heads, N_CODES))
        self.delta = nn.Parameter(torch.zeros(heads, kinds)) if kinds else None

    def forward(self, states: Tensor, events: Events, before: Tensor) -> Tensor:
        """Attend; ``before`` (B or 1, Q, T) is true where row t sees column s."""
        B, T, dim = states.shape
        parts = self.project(states).view(B, T, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (B, heads, T, dim / heads) each
        query = events.asking(query.transpose(1, 2)).transpose(1, 2)  # (B, heads, Q, ...)
        score = query @ key.transpose(2, 3) / math.sqrt(dim // self.heads)  # (B, heads, Q, T)
        score = score + self.beta[:, events.code].transpose(0, 1)[:, :, None]
        ageing = self.gamma[:, events.code].transpose(0, 1)[:, :, None]
        score = score + ageing * torch.log1p(events.age)[:, None]
        if self.delta is not None:
            score = score + _pull(events, self.delta)[:, :, None]
        weight = torch.softmax(score.masked_fill(~before[:, None], NEVER), dim=-1)
        looked: Tensor = (weight @ value).transpose(1, 2).flatten(2)  # (B, Q, dim)
        return looked


class OwnEdges(nn.Module):
    """
    A mean of the sequence's own items, ``softmax(η[b] - age / τ[b])``, with promotions ``+ δ now``.

    Shapes:
        items: (B, T, dim), age (B, Q, T); returns (B, Q, dim)
    """

    def __init__(self, kinds: int = 0) -> None:
        """τ starts at one day, or one event."""
        super().__init__()
        self.eta = nn.Parameter(torch.zeros(N_CODES))
        self.log_tau = nn.Parameter(torch.zeros(N_CODES))
        self.delta = nn.Parameter(torch.zeros(1, kinds)) if kinds else None

    def forward(self, items: Tensor, events: Events, before: Tensor) -> Tensor:
        """Average; later events weigh nothing."""
        tau = self.log_tau.exp()[events.code][:, None]
        score = self.eta[events.code][:, None] - events.age / tau
        if self.delta is not None:
            score = score + _pull(events, self.delta)
        weight = torch.softmax(score.masked_fill(~before, NEVER), dim=-1)
        return weight @ items


def _pull(events: Events, delta: Tensor) -> Tensor:
    """(B, heads, T) what promotion adds to each event's logit; delta is (heads, K)."""
    if events.now is None:
        raise ValueError("the gate needs to know what is on promotion at the asked moment")
    return (events.now @ delta.T).transpose(1, 2)


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

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, dim) to (B, T, dim), no place sees a later one."""
        steps = x.shape[1]
        later = torch.ones(steps, steps, dtype=torch.bool).triu(1)
        x = x + self.place.weight[:steps]
        y = self.first(x)
        x = x + self.attend(y, y, y, attn_mask=later, need_weights=False)[0]
        found: Tensor = x + self.feed(self.second(x))
        return found


class UserTower(nn.Module):
    """
    ``u = LN(W [state ; attention ; own edges])`` after each event; no table of users.

    Args:
        kinds: of promotion, 0 where none is known.

    Shapes:
        items:   (B, T, dim) vectors of the events' items
        returns: (B, Q, dim), Q = T, or 1 where one moment is asked about

    Source:
        MODEL 4.2.
    """

    def __init__(self, config: FusionConfig, kinds: int = 0) -> None:
        """Make the parts that are switched on; promotion starts as no reason for anything."""
        super().__init__()
        dim = config.dim
        gate = kinds if config.promotion_gate else 0
        self.behaviour = nn.Embedding(N_CODES, dim)
        nn.init.zeros_(self.behaviour.weight)
        self.gap = nn.Embedding(GAPS, dim)
        nn.init.normal_(self.gap.weight, std=0.02)
        self.hour = nn.Embedding(HOURS, 4)
        self.context = nn.Linear(4, dim, bias=False)
        self.prior = nn.Parameter(torch.zeros(dim))
        self.encoder = _encoder(config)
        self.attention = BehaviourAttention(dim, config.heads, gate) if config.attention else None
        self.own = OwnEdges(gate) if config.own_edges else None
        parts = sum(part is not None for part in (self.encoder, self.attention, self.own))
        self.join = nn.Linear(max(parts, 1) * dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)
        self.then = nn.Parameter(torch.zeros(kinds, dim)) if config.promotion_then else None

    def forward(self, items: Tensor, events: Events) -> Tensor:
        """A vector after each event; those at padding mean nothing."""
        before = events.before()
        items = self.dropout(items)
        states = x = self._inputs(items, events)  # (B, T, dim)
        parts = []
        if isinstance(self.encoder, nn.RNNBase):
            states = self.encoder(x)[0]
            parts.append(events.asking(states))
        elif self.encoder is not None:
            states = self.encoder(x)
            parts.append(events.asking(states))
        if self.attention is not None:
            parts.append(self.attention(states, events, before))
        if self.own is not None:
            parts.append(self.own(items, events, before))
        joined: Tensor = self.norm(
            self.join(self.dropout(torch.cat(parts or [events.asking(x)], dim=-1)))
        )
        return joined

    def _inputs(self, items: Tensor, events: Events) -> Tensor:
        x: Tensor = items + self.behaviour(events.code)
        if events.gap is not None and events.hour is not None:
            x = x + self.gap(events.gap) + self.context(self.hour(events.hour))
        if self.then is not None:
            if events.then is None:
                raise ValueError("events need to know what was on promotion at their time")
            x = x + events.then @ self.then
        return x


def _encoder(config: FusionConfig) -> nn.Module | None:
    if config.encoder == "none":
        return None
    if config.encoder == "attention":
        return Block(config.dim, config.heads, config.steps, config.dropout)
    kind = nn.LSTM if config.encoder == "lstm" else nn.GRU
    return kind(config.dim, config.dim, batch_first=True)

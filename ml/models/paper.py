"""LSTM-ATT-GNN, the paper's fusion of a sequence, a graph and eight counters."""

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.behaviours import N_CODES
from ml.config import PaperConfig
from ml.features.names import FEATURES

with warnings.catch_warnings():
    # torch-geometric 2.8 scripts a class on import, which torch 2.13 calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch_geometric.nn import GATConv


@dataclass(frozen=True, slots=True)
class Sequences:
    """
    The last events of a batch of people, left-aligned, trimmed to the longest.

    Shapes:
        item:   (B, T) int64, padding points at the zero row behind the items
        code:   (B, T) int64, behaviour
        age:    (B, T) float32, days before the cutoff
        length: (B,)   int64, 0 where a person has no events
    """

    item: Tensor
    code: Tensor
    age: Tensor
    length: Tensor


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """
    One side of the bipartite graph: who points at whom, as of the cutoff.

    Shapes:
        source: (S, dim) float32, inputs of the distinct neighbours
        target: (M, dim) float32, inputs of the nodes to be embedded
        edges:  (2, E)   int64, row of source, then row of target
    """

    source: Tensor
    target: Tensor
    edges: Tensor


@dataclass(frozen=True, slots=True)
class Pairs:
    """(P,) rows of the person and of the item in their batches, and (P, 8) raw features."""

    person: Tensor
    item: Tensor
    features: Tensor


class BehaviourAttention(nn.Module):
    """
    Looks back over the states of a sequence from the last one.

    Each head has, per behaviour, a learned bias and a learned effect of age; these are the
    weights by which an operator reads what a cart is worth against a view.

    Shapes:
        states:  (B, T, dim), Sequences, last (B, dim)
        returns: (B, dim)
    """

    def __init__(self, dim: int, heads: int) -> None:
        """Make the projections; behaviours start equal."""
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.zeros(heads, N_CODES))
        self.ageing = nn.Parameter(torch.zeros(heads, N_CODES))

    def forward(self, states: Tensor, seen: Sequences, last: Tensor) -> Tensor:
        """Attend, one query per person."""
        B, T, dim = states.shape
        shape = (B, T, self.heads, dim // self.heads)
        query = self.query(last).view(B, self.heads, -1)  # (B, heads, dim / heads)
        key = self.key(states).view(shape)
        value = self.value(states).view(shape)
        score = torch.einsum("bhd,bthd->bht", query, key) / math.sqrt(shape[-1])  # (B, heads, T)
        score = score + self.bias[:, seen.code].transpose(0, 1)
        score = score + self.ageing[:, seen.code].transpose(0, 1) * torch.log1p(seen.age)[:, None]
        inside = torch.arange(T) < seen.length[:, None]  # (B, T)
        score = score.masked_fill(~inside[:, None], -1e9)
        weight = torch.softmax(score, dim=-1)
        return torch.einsum("bht,bthd->bhd", weight, value).reshape(B, dim)


class PaperModel(nn.Module):
    """
    Chance that a person buys an item within the horizon, as a logit.

    ``people`` and ``items`` give the person's and the item's part of the head's first layer.
    That layer is linear, so these parts are all that serving has to store.

    Shapes:
        items table: (V + 1, dim) float32, item2vec, fixed; the last row is zero
        people:      (B, hidden), items: (M, hidden), logits: (P,)

    Source:
        MODEL: LSTM, multi-head attention, graph attention (Veličković et al., 2018,
        arXiv:1710.10903, eq. 1-4) and counters, concatenated, one hidden layer.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: PaperConfig) -> None:
        """
        Make the layers; the item table and the standardiser come with the data.

        Raises ``ValueError`` where neither a sequence nor a graph is wanted.
        """
        super().__init__()
        if not (config.sequence or config.graph):
            raise ValueError("a person needs a sequence or a graph to be seen by")
        dim = config.dim
        self.config = config
        self.lstm = nn.LSTM(dim, dim, batch_first=True) if config.sequence else None
        attends = config.attention and config.sequence
        self.attention = BehaviourAttention(dim, config.heads) if attends else None
        self.user_graph = self._gat() if config.graph else None
        self.item_graph = self._gat() if config.graph else None
        self.head_person = nn.Linear(dim * (config.sequence + config.graph), dim)
        self.head_item = nn.Linear(dim, dim, bias=False)
        self.head_features = nn.Linear(len(FEATURES), dim, bias=False)
        if not config.counters:
            nn.init.zeros_(self.head_features.weight).requires_grad_(False)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(dim, 1)
        self.register_buffer("mean", torch.zeros(len(FEATURES)))
        self.register_buffer("deviation", torch.ones(len(FEATURES)))

    def _gat(self) -> nn.Module:
        # One int for the inputs: both sides share W, as in e_uv = a·[W x_u ; W x_v].
        dim, heads = self.config.dim, self.config.heads
        gat: nn.Module = GATConv(dim, dim // heads, heads=heads, add_self_loops=False)
        return gat

    def sequence(self, table: Tensor, seen: Sequences) -> Tensor:
        """(B, dim): what the person's last events say; zeros without a sequence."""
        if self.lstm is None:
            return torch.zeros(len(seen.length), self.config.dim)
        states, _ = self.lstm(table[seen.item])  # (B, T, dim)
        rows = torch.arange(len(seen.length))
        last = states[rows, (seen.length - 1).clamp(min=0)]  # (B, dim)
        found: Tensor = last if self.attention is None else self.attention(states, seen, last)
        return found * (seen.length > 0)[:, None]

    def people(self, table: Tensor, seen: Sequences, near: Neighbourhood | None) -> Tensor:
        """(B, hidden): the person's part of the head, with its bias."""
        parts = [self.sequence(table, seen)] if self.config.sequence else []
        if self.user_graph is not None and near is not None:
            parts.append(self._spread(self.user_graph, near))
        person: Tensor = self.head_person(torch.cat(parts, dim=1))
        return person

    def graph_items(self, near: Neighbourhood) -> Tensor:
        """
        (M, dim): what the people around an item say about it.

        Without a graph zeros: the counters then say about the item what is known. Without
        counters too, the item's own vector, or else no pair could be told from another.
        """
        if self.item_graph is None:
            return torch.zeros_like(near.target) if self.config.counters else near.target
        return self._spread(self.item_graph, near)

    def items(self, near: Neighbourhood) -> Tensor:
        """(M, hidden): the item's part of the head."""
        item: Tensor = self.head_item(self.graph_items(near))
        return item

    def logits(self, people: Tensor, items: Tensor, pairs: Pairs) -> Tensor:
        """(P,): the rest of the head."""
        standard = (pairs.features - self.mean) / self.deviation
        hidden = people[pairs.person] + items[pairs.item] + self.head_features(standard)
        hidden = self.dropout(torch.relu(hidden))  # (P, hidden)
        logit: Tensor = self.output(hidden)
        return logit.squeeze(1)

    @staticmethod
    def _spread(gat: nn.Module, near: Neighbourhood) -> Tensor:
        spread: Tensor = gat((near.source, near.target), near.edges)
        return functional.elu(spread)

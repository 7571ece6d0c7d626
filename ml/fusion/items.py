"""The item tower: an item's own vector, its content, and the items around it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from torch import Tensor, nn

from ml.fusion.config import Content, FusionConfig

BRANDS = 2**14
"""Rows of a content table; larger numbers share them by remainder."""


class _Mix(torch.autograd.Function):
    """
    A sparse table times a dense one, scipy forth and back: half the time of torch's product.

    Shapes:
        x: (V, dim) float32; table (N, V) and its transpose; returns (N, dim)
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: csr_array, transposed: csr_array | csc_array) -> Tensor:
        ctx.transposed = transposed
        return torch.from_numpy(table @ x.detach().numpy())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return torch.from_numpy(ctx.transposed @ gradient.contiguous().numpy()), None, None


def _mix(x: Tensor, table: csr_array, transposed: csr_array | csc_array) -> Tensor:
    mixed: Tensor = _Mix.apply(x, table, transposed)  # type: ignore[no-untyped-call]
    return mixed


class ItemTower(nn.Module):
    """
    ``x = LN(gate * own + W content)``, then ``z = x + Σ α_b A_b x``.

    Shapes:
        counts:  (V,) events of each item, for the gate
        graphs:  row-normalised (V, V) tables, one per type of edge
        returns: (V + 1, dim) float32, the last row is padding and zero

    Source:
        MODEL 4.1; the count gate trusts content where an item has been seen rarely.
    """

    seen: Tensor

    def __init__(
        self,
        counts: NDArray[Any],
        graphs: Sequence[csr_array],
        content: Content | None,
        config: FusionConfig,
    ) -> None:
        """Make the tables; α starts at a half for one hop, so that the graph helps at once."""
        super().__init__()
        self.config = config
        self.own = nn.Embedding(len(counts), config.dim)
        nn.init.normal_(self.own.weight, std=config.dim**-0.5)
        self.register_buffer("seen", torch.as_tensor(counts, dtype=torch.float32))
        self.log_kappa = nn.Parameter(torch.tensor(0.0))
        self.norm = nn.LayerNorm(config.dim)
        columns = content.columns() if content is not None else []
        self._codes = [_codes(column) for column, _ in columns]
        self.tables = nn.ModuleList(
            nn.Embedding(int(code.max()) + 1, width, padding_idx=0)
            for code, (_, width) in zip(self._codes, columns, strict=True)
        )
        width = sum(width for _, width in columns)
        self.project = nn.Linear(width, config.dim, bias=False) if columns else None
        self._graphs = [(graph, csr_array(graph.T)) for graph in graphs]
        self.alpha = nn.Parameter(torch.full((max(config.hops, 1), len(graphs)), 0.5))

    def forward(self) -> Tensor:
        """All item vectors at once."""
        x = self.norm(self._own(slice(None)) + self._content(slice(None)))
        z = x
        for hop in range(self.config.hops if self._graphs else 0):
            mixed = [_mix(x, *graph) for graph in self._graphs]
            x = torch.stack([self.alpha[hop, b] * part for b, part in enumerate(mixed)]).sum(0)
            z = z + x
        return torch.cat([z, torch.zeros(1, z.shape[1])])

    def some(self, item: Tensor) -> Tensor:
        """(N, dim) of (N,) items; no more is computed than these and their neighbours need."""
        if self.config.hops > 1 and self._graphs:
            every: Tensor = self()
            return every[item]
        rows = item.clamp(max=len(self.seen) - 1)
        if self._graphs:
            x = self.norm(self._own(slice(None)) + self._content(slice(None)))
            z = x[rows]
            for b, (graph, _) in enumerate(self._graphs):
                part = graph[rows.numpy()]
                z = z + self.alpha[0, b] * _mix(x, part, part.T)
        else:
            z = self.norm(self._own(rows) + self._content(rows))
        there: Tensor = z * (item < len(self.seen))[:, None]
        return there

    def _own(self, rows: Tensor | slice) -> Tensor:
        own: Tensor = self.own.weight[rows]
        if self.project is None:
            return own
        if self.config.count_gate:
            seen = self.seen[rows]
            own = own * (seen / (seen + self.log_kappa.exp()))[:, None]
        if self.training and self.config.id_dropout:
            kept = torch.rand(len(own), 1) >= self.config.id_dropout
            own = own * kept
        return own

    def _content(self, rows: Tensor | slice) -> Tensor:
        if self.project is None:
            return torch.zeros(())
        parts = [table(code[rows]) for table, code in zip(self.tables, self._codes, strict=True)]
        found: Tensor = self.project(torch.cat(parts, dim=1))
        return found


def _codes(column: NDArray[np.int64]) -> Tensor:
    """Row 0 is unknown."""
    return torch.from_numpy(np.where(column < 0, 0, column % BRANDS + 1).astype(np.int64))

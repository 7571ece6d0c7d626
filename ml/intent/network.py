"""A small network for pairs as plain arrays: answers without torch."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import ModelBroken
from ml.intent.normal import NormalScores
from ml.intent.table import Table

SKIP = 0.1
"""Weight of the straight line from the columns to the logit."""

BATCH = 65_536
"""Pairs that are answered at once; bounds the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """
    ``logit = out(silu(second(silu(norm(first([x ; item ; kind])))))) + SKIP * line(x)``.

    Shapes, n inputs after ``scores``, V items, C kinds of items, e numbers per embedding:
        item: (V + 1, e), kind: (C + 1, e); row 0 stands for what training had not seen
        kinds: (V + 1,) int64, the row of ``kind`` of each row of ``item``
        first (n + 2e, h), second (h, g), out (g,), line (n,), with their biases
        norm_gain, norm_bias: (h,)
    """

    knots: NDArray[np.float32]
    knot_scores: NDArray[np.float32]
    missing: NDArray[np.int64]
    item: NDArray[np.float32]
    kind: NDArray[np.float32]
    kinds: NDArray[np.int64]
    first: NDArray[np.float32]
    first_bias: NDArray[np.float32]
    norm_gain: NDArray[np.float32]
    norm_bias: NDArray[np.float32]
    second: NDArray[np.float32]
    second_bias: NDArray[np.float32]
    out: NDArray[np.float32]
    out_bias: NDArray[np.float32]
    line: NDArray[np.float32]

    @property
    def scores(self) -> NormalScores:
        """The map from columns to inputs."""
        return NormalScores(self.knots, self.knot_scores, self.missing)

    def logits(self, table: Table) -> NDArray[np.float64]:
        """(P,) log-odds."""
        parts = [
            self._answer(table.values[at : at + BATCH], table.item[at : at + BATCH])
            for at in range(0, len(table), BATCH)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def _answer(self, values: NDArray[Any], item: NDArray[Any]) -> NDArray[np.float64]:
        x = self.scores.apply(values)
        row = item_rows(item, len(self.item))
        joined = np.concatenate([x, self.item[row], self.kind[self.kinds[row]]], axis=1)
        hidden = joined @ self.first + self.first_bias
        hidden -= hidden.mean(axis=1, keepdims=True)
        hidden /= np.sqrt((hidden**2).mean(axis=1, keepdims=True) + 1e-5)
        hidden = _silu(hidden * self.norm_gain + self.norm_bias)
        hidden = _silu(hidden @ self.second + self.second_bias)
        found = hidden @ self.out + self.out_bias[0] + SKIP * (x @ self.line)
        answer: NDArray[np.float64] = found.astype(np.float64)
        return answer

    def save(self, file: Path) -> None:
        """Write what ``load`` reads."""
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            file, allow_pickle=False, **{one.name: getattr(self, one.name) for one in fields(self)}
        )

    @classmethod
    def load(cls, file: Path) -> "Network":
        """Read what ``save`` wrote; raises ``ModelBroken``."""
        try:
            with np.load(file, allow_pickle=False) as arrays:
                found = cls(**{one.name: arrays[one.name] for one in fields(cls)})
        except (OSError, ValueError, KeyError) as problem:
            raise ModelBroken(f"the network cannot be read: {problem}") from problem
        if not all(np.isfinite(getattr(found, one.name)).all() for one in fields(cls)):
            raise ModelBroken("the network holds values that are not finite")
        return found


def item_rows(item: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Rows of an embedding of ``size`` rows; 0 for items beyond it."""
    row = item.astype(np.int64) + 1
    row[(row < 0) | (row >= size)] = 0
    return row


def _silu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = x * (0.5 + 0.5 * np.tanh(0.5 * x))
    return found

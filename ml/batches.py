"""From look-back tables to the tensors of a batch; no loop runs over rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.behaviours import N_CODES
from ml.config import DAY_MS, PaperConfig
from ml.dataset import Interactions
from ml.evaluation.pools import Pool
from ml.models.paper import Neighbourhood, Pairs, Sequences
from ml.timelines import Timelines

Rows = NDArray[Any]

CHUNK = 8192
"""People whose events are averaged at once."""


class Scene:
    """
    The shop as of one cutoff: last events, neighbour tables and the people's input vectors.

    ``table`` is the (V + 1, dim) item table whose last row is zero.
    """

    def __init__(self, lines: Timelines, cutoff: int, table: Tensor, config: PaperConfig) -> None:
        """Look back once for everybody."""
        self.cutoff = cutoff
        self.table = table
        self._data: Interactions = lines.data
        self._events = lines.last_events(cutoff, config.steps)
        self._lengths: Rows = (self._events >= 0).sum(axis=1)
        neighbours = config.neighbours if config.graph else 0
        self._items_of_users = lines.items_of_users(cutoff, neighbours)
        self._users_of_items = lines.users_of_items(cutoff, neighbours)
        self._people = self._mean_vectors()

    @property
    def lengths(self) -> Rows:
        """(U,) number of events in each person's sequence."""
        return self._lengths

    def sequences(self, users: Rows) -> Sequences:
        """The last events of these people, trimmed to the longest of them."""
        length = self._lengths[users]
        events = self._events[users, : max(int(length.max(initial=1)), 1)]
        inside = events >= 0
        age = np.where(inside, (self.cutoff - self._data.ts[events]) / DAY_MS, 0.0)
        code = np.clip(self._data.code[events], 0, N_CODES - 1)
        return Sequences(
            item=_ints(np.where(inside, self._data.item[events], len(self.table) - 1)),
            code=_ints(np.where(inside, code, 0)),
            age=torch.from_numpy(age.astype(np.float32)),
            length=_ints(length),
        )

    def around_users(self, users: Rows) -> Neighbourhood:
        """Items pointing at these people."""
        return _neighbourhood(self._items_of_users[users], self.table, self._people[_ints(users)])

    def around_items(self, items: Rows) -> Neighbourhood:
        """People pointing at these items."""
        return _neighbourhood(self._users_of_items[items], self._people, self.table[_ints(items)])

    def _mean_vectors(self) -> Tensor:
        """(U, dim): each person's input to the graph is the mean of their last items."""
        parts = [
            self.table[self.sequences(users).item].sum(dim=1)
            for users in np.array_split(
                np.arange(len(self._lengths)), max(len(self._lengths) // CHUNK, 1)
            )
        ]
        return torch.cat(parts) / torch.from_numpy(np.maximum(self._lengths, 1))[:, None].float()


@dataclass(frozen=True, slots=True)
class Batch:
    """Some people of one scene with all their pairs; ``rows`` are the pairs' places in the pool."""

    sequences: Sequences
    users: Neighbourhood
    items: Neighbourhood
    pairs: Pairs
    label: Tensor
    rows: Rows


class PoolBatches:
    """Cuts the pairs of one cutoff into batches of whole people."""

    def __init__(self, pool: Pool, scene: Scene, people: int) -> None:
        """Index a pool that is sorted by person and has a single cutoff."""
        self._pool = pool
        self.scene = scene
        self._people = people
        self._users, self._starts = np.unique(pool.user, return_index=True)
        self._ends = np.append(self._starts[1:], len(pool))

    def groups(self, rng: np.random.Generator | None) -> list[Rows]:
        """
        Positions of people, batch by batch, of similar sequence length.

        Args:
            rng: shuffles inside length buckets and the order of batches; ``None`` keeps order.
        """
        order = np.arange(len(self._users))
        bucket = (self.scene.lengths[self._users] + 9) // 10
        if rng is not None:
            order = rng.permutation(order)
        order = order[np.argsort(bucket[order], kind="stable")]
        found = [order[at : at + self._people] for at in range(0, len(order), self._people)]
        if rng is not None:
            rng.shuffle(found)
        return found

    def batch(self, group: Rows) -> Batch:
        """The tensors of one group of people."""
        start, size = self._starts[group], self._ends[group] - self._starts[group]
        person = np.repeat(np.arange(len(group)), size)
        within = np.arange(len(person)) - np.repeat(np.cumsum(size) - size, size)
        rows = np.repeat(start, size) + within
        items, item = np.unique(self._pool.item[rows], return_inverse=True)
        users = self._users[group]
        return Batch(
            sequences=self.scene.sequences(users),
            users=self.scene.around_users(users),
            items=self.scene.around_items(items),
            pairs=Pairs(_ints(person), _ints(item), torch.from_numpy(self._pool.features[rows])),
            label=torch.from_numpy(self._pool.label[rows].astype(np.float32)),
            rows=rows,
        )

    def __iter__(self) -> Iterator[Batch]:
        """All batches in order."""
        return (self.batch(group) for group in self.groups(None))


def _neighbourhood(near: Rows, source: Tensor, target: Tensor) -> Neighbourhood:
    """Edges of a gathered (M, K) neighbour table, its distinct neighbours renumbered."""
    inside = near >= 0
    distinct, renumbered = np.unique(near[inside], return_inverse=True)
    edges = np.stack([renumbered, np.nonzero(inside)[0]])
    return Neighbourhood(source[_ints(distinct)], target, _ints(edges))


def _ints(values: Rows) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64))

"""Several rankers agree on a shortlist, and trees put it in order."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.errors import NotEnoughData
from ml.ranking.profiles import require_events
from ml.ranking.sequences import Ranker, Sequences
from ml.ranking.spectral import spectral_items

FLOOR = np.float32(1e-4)
"""Added to shares before their logarithm: what a ranker does not know is not impossible."""

BLOCK = 512
"""Sequences whose channels are scored at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """
    One of the rankers that are asked.

    Attributes:
        make: gives a new one.
        weight: of the logarithm of its shares in the blend that makes the shortlist.
        is_logit: shares are the softmax of its scores; otherwise these are weights, and shares
            are their parts of the sum.
    """

    make: Callable[[], Ranker]
    weight: float
    is_logit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistConfig:
    """
    Sizes and training.

    Attributes:
        items: length of the shortlist.
        repeats: whether an item of the sequence may be on it.
        dim: of the spectral item vectors, whose nearness is told to the trees.
    """

    items: int = 60
    repeats: bool = False
    dim: int = 64
    trees: int = 100
    leaves: int = 15
    learning_rate: float = 0.07
    smallest: int = 100


@dataclass(frozen=True, slots=True)
class _Lesson:
    """Shape: columns (S, K, F), of which S lists hold a right item; is_right (S, K)."""

    columns: NDArray[np.float32]
    is_right: NDArray[np.bool_]


class Shortlist:
    """
    A blend of rankers picks items, trees order them by who said what about each.

    The channels are fitted twice: without the last event of each sequence, which then teaches
    the trees, and on everything.

    Args:
        channels: by name.
        seed: of the trees.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        config: ShortlistConfig | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self._channels = dict(channels)
        self._config = config or ShortlistConfig()
        self._seed = seed
        self._fitted: dict[str, Ranker] = {}
        self._trees: lightgbm.Booster | None = None
        self._lesson = _Lesson(np.zeros((0, 0, 0), np.float32), np.zeros((0, 0), bool))
        self._vectors = self._count = np.zeros(0, np.float32)

    def fit(self, past: Sequences) -> None:
        """Learn; raises ``NotEnoughData`` without events."""
        self.learn(past)
        self._look(past)

    def learn(self, past: Sequences) -> None:
        """
        Only the first half: channels know all but the last events, trees were told these.

        Raises:
            NotEnoughData: there are no events.
        """
        require_events(past)
        asked = past.take(past.lengths > 1)
        if len(asked):
            self._look(past.without_last())
            self._lesson = self._ask(asked.without_last(), asked.item[asked.start[1:] - 1])
            self._trees = self._learn()
        else:
            self._look(past)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) log-odds by the trees above 0, then the blend below 0."""
        found = np.zeros((len(prefixes), prefixes.n_items), np.float32)
        for rows in _blocks(len(prefixes)):
            found[rows] = self._block(prefixes.take(rows))
        return found

    def exchanged(self, name: str, ranker: Ranker) -> Self:
        """The same with another, fitted, ranker in this channel."""
        return self._copy(self._channels, self._fitted | {name: ranker}, self._trees)

    def without(self, *names: str) -> Self:
        """The same without these channels; only the trees learn anew, from the same lists."""
        kept = {name: one for name, one in self._channels.items() if name not in names}
        fitted = {name: one for name, one in self._fitted.items() if name in kept}
        other = self._copy(kept, fitted, None)
        columns = [k for k, name in enumerate(_column_names(self._channels)) if name not in names]
        other._lesson = replace(self._lesson, columns=self._lesson.columns[:, :, columns])
        other._trees = other._learn()
        return other

    def blend(self) -> Self:
        """The same without trees."""
        return self._copy(self._channels, self._fitted, None)

    def _copy(
        self,
        channels: dict[str, Channel],
        fitted: dict[str, Ranker],
        trees: lightgbm.Booster | None,
    ) -> Self:
        other = type(self)(channels, self._config, seed=self._seed)
        other._fitted, other._trees = fitted, trees
        other._vectors, other._count = self._vectors, self._count
        return other

    def _look(self, past: Sequences) -> None:
        if not len(past.item):
            raise NotEnoughData("a shortlist is learned from sequences of two events", longest=1)
        self._fitted = {name: channel.make() for name, channel in self._channels.items()}
        for ranker in self._fitted.values():
            ranker.fit(past)
        vectors = spectral_items(past, self._config.dim)
        self._vectors = np.vstack([vectors, np.zeros((1, self._config.dim), np.float32)])
        count = np.bincount(past.item, minlength=past.n_items + 1)
        self._count = np.log1p(count).astype(np.float32)

    def _ask(self, prefixes: Sequences, target: NDArray[np.int32]) -> _Lesson:
        columns, right = [], []
        for rows in _blocks(len(prefixes)):
            part = prefixes.take(rows)
            items, found, _ = self._table(part)
            is_right = items == target[rows, None]
            # A list without the right item teaches no order.
            taught = is_right.any(axis=1)
            columns.append(found[taught])
            right.append(is_right[taught])
        return _Lesson(np.concatenate(columns), np.concatenate(right))

    def _learn(self) -> lightgbm.Booster | None:
        columns, is_right = self._lesson.columns, self._lesson.is_right
        if not len(columns):
            return None
        settings = {
            "objective": "binary",
            "num_leaves": self._config.leaves,
            "learning_rate": self._config.learning_rate,
            "min_data_in_leaf": min(self._config.smallest, max(is_right.size // 20, 1)),
            "lambda_l2": 5.0,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "seed": self._seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }
        flat = columns.reshape(-1, columns.shape[2])
        data = lightgbm.Dataset(flat, is_right.ravel().astype(np.int8))
        return lightgbm.train(settings, data, self._config.trees)

    def _block(self, prefixes: Sequences) -> NDArray[np.float32]:
        items, columns, blend = self._table(prefixes)
        best = blend.max(axis=1, keepdims=True)
        found: NDArray[np.float32] = blend - best - 1
        if self._trees is not None:
            flat = columns.reshape(-1, columns.shape[2])
            # Odds, not log-odds: they are above everything that is not on the list.
            odds = np.exp(np.asarray(self._trees.predict(flat, raw_score=True, num_threads=1)))
            np.put_along_axis(found, items, odds.reshape(items.shape).astype(np.float32), axis=1)
        if not self._config.repeats:
            # A list may be longer than what is left to recommend.
            found[prefixes.owner, prefixes.item] = found.min(axis=1)[prefixes.owner] - 1
        return found

    def _table(
        self, prefixes: Sequences
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """(S, K) items of the lists, best first, (S, K, F) what is told of them, (S, V) blend."""
        logs = {
            name: _log_share(self._fitted[name].scores(prefixes), is_logit=channel.is_logit)
            for name, channel in self._channels.items()
        }
        blend = np.zeros((len(prefixes), prefixes.n_items), np.float32)
        for name, one in logs.items():
            blend += np.float32(self._channels[name].weight) * one
        if not self._config.repeats:
            blend[prefixes.owner, prefixes.item] = blend.min(axis=1)[prefixes.owner] - 1
        items = _best(blend, min(self._config.items, prefixes.n_items))
        told = [np.take_along_axis(one, items, 1) for one in logs.values()]
        places = [_places(one) for one in told]
        columns = [*told, *places, np.take_along_axis(blend, items, 1)]
        columns += self._facts(prefixes, items)
        return items, np.stack(columns, axis=2).astype(np.float32), blend

    def _facts(self, prefixes: Sequences, items: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """Place in the blend, nearness to the last three items, counts, length."""
        last = prefixes.padded(3, prefixes.n_items)
        near = [
            np.einsum("skd,sd->sk", self._vectors[items], self._vectors[last[:, -back]])
            for back in (1, 2, 3)
        ]
        place = np.broadcast_to(np.arange(items.shape[1], dtype=np.float32), items.shape)
        newest = np.broadcast_to(self._count[last[:, -1:]], items.shape)
        length = np.broadcast_to(prefixes.lengths[:, None].astype(np.float32), items.shape)
        return [place, *near, self._count[items], newest, length]


def _column_names(channels: Mapping[str, Channel]) -> list[str]:
    """The channel of each column, or what it is else."""
    facts = ["blend", "place", "near 1", "near 2", "near 3", "count", "newest", "length"]
    return [*channels, *channels, *facts]


def _log_share(scores: NDArray[np.float32], *, is_logit: bool) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.maximum(scores, 0)
    if is_logit:
        found = np.exp(scores - scores.max(axis=1, keepdims=True))
    found /= np.maximum(found.sum(axis=1, keepdims=True), np.float32(1e-9))
    found += FLOOR
    np.log(found, out=found)
    return found


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    found = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, found, 1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(found, order, 1), np.int64)


def _places(told: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S, K) rank within the list, 0 for the lowest."""
    order = np.argsort(told, axis=1, kind="stable")
    return np.asarray(np.argsort(order, axis=1, kind="stable"), np.float32)


def _blocks(n: int) -> Iterator[NDArray[np.int64]]:
    for begin in range(0, n, BLOCK):
        yield np.arange(begin, min(begin + BLOCK, n))

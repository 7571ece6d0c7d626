"""Rankers of rated items, stacked: what was taken, what was liked, and trees over both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.config import DAY_MS
from ml.ranking.profiles import require_events
from ml.ranking.sequences import Ranker, Sequences

LIKED = 4
"""Ratings from here on count as liked."""

PRIOR = 5.0
"""Ratings that an item's own share of likes is drawn towards the mean by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedChannel:
    """
    One of the rankers that are asked.

    Attributes:
        weight: of its standardised scores in the blend that makes the shortlist.
    """

    make: Callable[[], Ranker]
    weight: float


class OfLiked:
    """A ranker that learns from, and is asked with, liked items alone."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker

    def fit(self, past: Sequences) -> None:
        """Learn; raises ``NotEnoughData`` where nothing is liked."""
        self._ranker.fit(liked(past))

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) as the ranker has it."""
        return self._ranker.scores(liked(prefixes))


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedConfig:
    """Sizes and training: ``items`` is the length of the shortlist."""

    items: int = 150
    trees: int = 80
    leaves: int = 15
    learning_rate: float = 0.05
    smallest: int = 50


@dataclass(slots=True)
class RatedStack:
    """
    A blend of rankers makes a shortlist of each person, LambdaMART orders it.

    Sequences carry ratings as ``code`` and times. ``fit`` is for the channels, ``learn`` for the
    trees, with answers that the channels have not seen; then ``fit`` may be called with more.

    Source:
        Burges, From RankNet to LambdaRank to LambdaMART, 2010 (MSR-TR-2010-82).
    """

    channels: Mapping[str, RatedChannel]
    config: RatedConfig = field(default_factory=RatedConfig)
    seed: int = 0
    _fitted: dict[str, Ranker] = field(default_factory=dict, repr=False)
    _facts: "_Facts | None" = field(default=None, repr=False)
    _trees: lightgbm.Booster | None = field(default=None, repr=False)

    def fit(self, past: Sequences) -> None:
        """Fit the channels, not the trees; raises ``NotEnoughData`` without events."""
        require_events(past)
        self._facts = _Facts.of(past)
        for name, channel in self.channels.items():
            ranker = channel.make()
            ranker.fit(past)
            self._fitted[name] = ranker

    def learn(self, prefixes: Sequences, right: NDArray[np.bool_]) -> None:
        """Fit the trees; ``right`` (S, V) are the answers, own items are left off the lists."""
        items, columns, _ = self._table(prefixes)
        label = np.take_along_axis(right, items, 1)
        taught = label.any(axis=1)
        if not taught.any():
            return
        label, columns = label[taught], columns[taught]
        settings = {
            "objective": "lambdarank",
            "lambdarank_truncation_level": 20,
            "num_leaves": self.config.leaves,
            "learning_rate": self.config.learning_rate,
            "min_data_in_leaf": self.config.smallest,
            "lambda_l2": 10.0,
            "feature_fraction": 0.6,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }
        data = lightgbm.Dataset(
            columns.reshape(-1, columns.shape[2]),
            label.ravel().astype(np.int8),
            group=np.full(len(label), items.shape[1]),
        )
        self._trees = lightgbm.train(settings, data, self.config.trees)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) the trees' scores for the shortlist, the blend below them for the rest."""
        items, columns, blend = self._table(prefixes)
        if self._trees is None:
            return blend
        flat = columns.reshape(-1, columns.shape[2])
        value = np.asarray(self._trees.predict(flat, num_threads=1), np.float32)
        found: NDArray[np.float32] = blend - (blend.max() - value.min() + 1)
        np.put_along_axis(found, items, value.reshape(items.shape), axis=1)
        return found

    def without_trees(self) -> "RatedStack":
        """The blend alone."""
        return replace(self, _trees=None)

    def _standardised(self, prefixes: Sequences) -> dict[str, NDArray[np.float32]]:
        return {name: _standard(one.scores(prefixes)) for name, one in self._fitted.items()}

    def _blend(self, scores: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        parts = [np.float32(self.channels[name].weight) * one for name, one in scores.items()]
        return np.asarray(np.sum(parts, axis=0), np.float32)

    def _table(
        self, prefixes: Sequences
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """(S, K) items of the lists, (S, K, F) what is told of them, (S, V) blend."""
        assert self._facts is not None
        scores = self._standardised(prefixes)
        blend = self._blend(scores)
        open_ = blend.copy()
        open_[prefixes.owner, prefixes.item] = -np.inf
        k = min(self.config.items, prefixes.n_items)
        items = np.argpartition(-open_, k - 1, axis=1)[:, :k]
        told = [np.take_along_axis(one, items, 1) for one in (blend, *scores.values())]
        places = [np.argsort(np.argsort(one, axis=1), axis=1) for one in told]
        columns: list[NDArray[Any]] = [*told, *places, *self._facts.columns(prefixes, items)]
        return items, np.stack(columns, axis=2).astype(np.float32), blend


@dataclass(frozen=True, slots=True)
class _Facts:
    """(V,) each: log of ratings and of likes, share of likes, first time."""

    count: NDArray[np.float64]
    likes: NDArray[np.float64]
    share: NDArray[np.float64]
    first: NDArray[np.float64]

    @classmethod
    def of(cls, past: Sequences) -> "_Facts":
        is_liked = _is_liked(past)
        count = np.bincount(past.item, minlength=past.n_items)
        likes = np.bincount(past.item, is_liked, past.n_items)
        first = np.full(past.n_items, np.inf)
        if past.ts is not None:
            np.minimum.at(first, past.item, past.ts.astype(np.float64))
            first[np.isinf(first)] = past.ts.max()
        share = (likes + PRIOR * is_liked.mean()) / (count + PRIOR)
        return cls(np.log1p(count), np.log1p(likes), share, first)

    def columns(self, prefixes: Sequences, items: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        """(S, K) each: the item's counts and age, the person's length and share of likes."""
        length = np.maximum(prefixes.lengths, 1)
        likes = np.bincount(prefixes.owner, _is_liked(prefixes), len(prefixes)) / length
        person = [np.log(length), likes]
        found = [self.count[items], self.likes[items], self.share[items]]
        found += [np.broadcast_to(one[:, None], items.shape) for one in person]
        if prefixes.ts is not None:
            last = np.append(prefixes.ts, 0)[np.maximum(prefixes.start[1:] - 1, 0)]
            found.append((last[:, None] - self.first[items]) / DAY_MS)
        return found


def liked(sequences: Sequences) -> Sequences:
    """The events rated ``LIKED`` or better."""
    keep = _is_liked(sequences)
    count = np.bincount(sequences.owner[keep], minlength=len(sequences))
    return Sequences(
        item=sequences.item[keep],
        start=np.append(0, np.cumsum(count)).astype(np.int64),
        n_items=sequences.n_items,
        code=None if sequences.code is None else sequences.code[keep],
        ts=None if sequences.ts is None else sequences.ts[keep],
    )


def _is_liked(sequences: Sequences) -> NDArray[np.bool_]:
    if sequences.code is None:
        raise ValueError("rated sequences carry their ratings as codes")
    found: NDArray[np.bool_] = sequences.code >= LIKED
    return found


def _standard(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = scores - scores.mean(axis=1, keepdims=True)
    found /= scores.std(axis=1, keepdims=True) + np.float32(1e-9)
    return found

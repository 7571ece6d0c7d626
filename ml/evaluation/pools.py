"""Which (person, item) pairs are asked about, and what the true answer was."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import PURCHASE
from ml.config import DAY_MS, PaperConfig
from ml.dataset import Interactions
from ml.distinct import distinct
from ml.features.items import ItemCounters, item_counters
from ml.features.pairs import PairFeatures, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """
    Pairs of one or more cutoffs, sorted by (cutoff, person).

    Shapes, P pairs:
        cutoff:     (P,) int64, milliseconds UTC
        user, item: (P,) int32
        label:      (P,) bool, bought in [cutoff, cutoff + horizon)
        touched:    (P,) bool, an event in the window before the cutoff
        weight:     (P,) float32, how many pairs of the full pool this one stands for
        features:   (P, 8) float32
        week:       (P,) float32, the item's events in the last 7 days
    """

    cutoff: NDArray[np.int64]
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    label: NDArray[np.bool_]
    touched: NDArray[np.bool_]
    weight: NDArray[np.float32]
    features: NDArray[np.float32]
    week: NDArray[np.float32]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> "Pool":
        """Some of the pairs, by mask or positions."""
        return Pool(**{column.name: getattr(self, column.name)[rows] for column in fields(Pool)})

    @property
    def base_rate(self) -> float:
        """Share of positives among the pairs as they are here."""
        return float(self.label.mean()) if len(self) else float("nan")

    @classmethod
    def join(cls, parts: list["Pool"]) -> "Pool":
        """One pool out of several, in the given order."""
        return cls(
            **{
                column.name: np.concatenate([getattr(part, column.name) for part in parts])
                for column in fields(cls)
            }
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """A cutoff with everything that is known just before it."""

    cutoff: int
    counters: ItemCounters
    features: PairFeatures
    touched: NDArray[np.int64]
    bought: NDArray[np.int64]
    n_items: int

    def pool(self, pair: NDArray[np.int64], weight: NDArray[Any]) -> Pool:
        """The given pairs (sorted numbers person * V + item) with features and labels."""
        user = (pair // self.n_items).astype(np.int32)
        item = (pair % self.n_items).astype(np.int32)
        return Pool(
            cutoff=np.full(len(pair), self.cutoff, np.int64),
            user=user,
            item=item,
            label=np.isin(pair, self.bought),
            touched=self.features.is_touched(user, item),
            weight=weight.astype(np.float32),
            features=self.features.of(user, item),
            week=self.counters.week[item],
        )


def window_before(data: Interactions, cutoff: int, days: int) -> Window:
    """The last ``days`` before a cutoff, for features."""
    part = data.between(cutoff - days * DAY_MS, cutoff)
    return Window(
        part.user,
        part.item,
        part.code,
        part.ts,
        part.price,
        data.n_users,
        data.catalogue.category,
        days,
        data.weights,
    )


def moment(data: Interactions, cutoff: int, config: PaperConfig) -> Moment:
    """Look at the shop just before ``cutoff``, and at the labels just after it."""
    counters = item_counters(data, cutoff, config.window_days)
    window = window_before(data, cutoff, config.window_days)
    pair = window.user.astype(np.int64) * data.n_items + window.item
    after = data.between(cutoff, cutoff + config.horizon_days * DAY_MS)
    return Moment(
        cutoff=cutoff,
        counters=counters,
        features=PairFeatures(window, counters, cutoff),
        touched=distinct(pair),
        bought=distinct(after.pair[after.code == PURCHASE]),
        n_items=data.n_items,
    )


def touched_pool(at: Moment) -> Pool:
    """Pool A1: every pair with an event in the window; exhaustive, nothing sampled."""
    return at.pool(at.touched, np.ones(len(at.touched)))


def training_pool(at: Moment, config: PaperConfig, rng: np.random.Generator) -> Pool:
    """
    Pairs to learn from: all touched positives, a share of the touched negatives, and, so that
    the model has an opinion on what a person never touched, some first-time purchases and some
    random untouched pairs.
    """
    positive = np.isin(at.touched, at.bought, assume_unique=True)
    kept = positive | (rng.random(len(at.touched)) < config.negative_share)
    weight = np.where(positive, 1.0, 1.0 / config.negative_share)
    pairs, weights = [at.touched[kept]], [weight[kept]]
    for pair, one in (_first_purchases(at, config, rng), _untouched(at, config, rng)):
        pairs.append(pair)
        weights.append(np.full(len(pair), one))
    joined, order = np.unique(np.concatenate(pairs), return_index=True)
    return at.pool(joined, np.concatenate(weights)[order])


def _active(at: Moment) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return distinct(at.touched // at.n_items), distinct(at.touched % at.n_items)


def _first_purchases(
    at: Moment, config: PaperConfig, rng: np.random.Generator
) -> tuple[NDArray[np.int64], float]:
    """Purchases by active people of active items that they had not touched."""
    people, items = _active(at)
    new = np.setdiff1d(at.bought, at.touched, assume_unique=True)
    known = np.isin(new // at.n_items, people) & np.isin(new % at.n_items, items)
    new = new[known]
    return new[rng.random(len(new)) < config.new_share], 1.0 / max(config.new_share, 1e-9)


def _untouched(
    at: Moment, config: PaperConfig, rng: np.random.Generator
) -> tuple[NDArray[np.int64], float]:
    """Random pairs of active people and active items, less those touched or bought."""
    people, items = _active(at)
    if not len(people):
        return np.zeros(0, np.int64), 1.0
    user = np.repeat(people, config.new_negatives)
    drawn = distinct(user * at.n_items + rng.choice(items, len(user)))
    drawn = np.setdiff1d(drawn, at.touched, assume_unique=True)
    drawn = np.setdiff1d(drawn, at.bought, assume_unique=True)
    share = config.new_negatives / len(items)
    return drawn, 1.0 / max(share, 1e-9)

"""A second look at the best of several rankers: trees weigh their opinions case by case."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.ranking.candidates import union
from ml.ranking.rerank_columns import Candidates, ItemFacts, opinions
from ml.ranking.sequences import Ranker, Sequences
from ml.ranking.vsknn import spread

BLOCK = 512
"""Prefixes whose channels are scored at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankConfig:
    """
    How the trees learn.

    Attributes:
        held_out: share of the past, its end, that the trees learn from; the channels that they
            learn to weigh have not seen it.
        candidates: items taken from each channel.
        shortest: events of the shortest prefix that is asked in learning.
        cases: at most so many prefixes are learned from, a sample of whole sequences.
    """

    held_out: float = 0.05
    candidates: int = 40
    shortest: int = 1
    cases: int = 12_000
    trees: int = 100
    leaves: int = 15
    learning_rate: float = 0.08
    smallest: int = 100


class Reranker:
    """
    LambdaMART over the union of the channels' candidates.

    The channels are fitted twice: on all but the end of the past, whose prefixes then teach the
    trees, and on everything.

    Args:
        channels: makers of the rankers by name; the first orders what no channel proposes. Of
            those that have ``item_vectors`` the nearness of items is a column too.
        seed: of the sample of cases and of the trees.

    Source:
        Burges, From RankNet to LambdaRank to LambdaMART, 2010 (MSR-TR-2010-82).
    """

    def __init__(
        self,
        channels: Mapping[str, Callable[[], Ranker]],
        config: RerankConfig | None = None,
        seed: int = 1,
    ) -> None:
        self.config = config or RerankConfig()
        self.seed = seed
        self._makers = dict(channels)

    def fit(self, past: Sequences) -> None:
        """
        Learn; where the past has too little for trees the first channel answers alone.

        Raises:
            NotEnoughData: a channel cannot learn from this past.
        """
        self._trees: lightgbm.Booster | None = None
        cut = len(past) - max(round(len(past) * self.config.held_out), 1)
        early, late = (
            past.take(np.arange(max(cut, 0))),
            past.take(np.arange(max(cut, 0), len(past))),
        )
        prefixes, target, owner = every_prefix(late, self.config.shortest)
        if len(prefixes) and len(early.item):
            self._look(early)
            kept = _sample(owner, self.config.cases, np.random.default_rng(self.seed))
            self._trees = self._learn(prefixes.take(kept), target[kept])
        self._look(past)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V) the trees' scores; items that no channel proposes come below."""
        found = [self._block(prefixes.take(rows)) for rows in _blocks(len(prefixes))]
        return np.concatenate([np.zeros((0, prefixes.n_items), np.float32), *found])

    def importance(self) -> dict[str, float]:
        """Share of the gain of all splits, by column."""
        if self._trees is None:
            return {}
        gain = self._trees.feature_importance("gain")
        return dict(zip(self._names, (gain / max(gain.sum(), 1e-9)).tolist(), strict=True))

    def _look(self, past: Sequences) -> None:
        self._channels = {name: make() for name, make in self._makers.items()}
        for channel in self._channels.values():
            channel.fit(past)
        self._facts = ItemFacts(past)

    def _learn(self, prefixes: Sequences, target: NDArray[np.int32]) -> lightgbm.Booster | None:
        tables, labels, groups = [], [], []
        for rows in _blocks(len(prefixes)):
            asked, table, _ = self._table(prefixes.take(rows))
            label = asked.item == target[rows][asked.row]
            has_answer = np.bincount(asked.row, label, len(rows)) > 0
            # A case whose answer no channel proposes teaches no order.
            used = has_answer[asked.row]
            tables.append(table[used])
            labels.append(label[used])
            groups.append(np.bincount(asked.row[used], minlength=len(rows))[has_answer])
        group = np.concatenate(groups)
        if not len(group):
            return None
        data = lightgbm.Dataset(
            np.concatenate(tables), np.concatenate(labels), group=group, free_raw_data=True
        )
        return lightgbm.train(self._parameters(), data, self.config.trees)

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "lambdarank",
            "lambdarank_truncation_level": 20,
            "num_leaves": self.config.leaves,
            "learning_rate": self.config.learning_rate,
            "min_data_in_leaf": self.config.smallest,
            "feature_fraction": 0.8,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }

    def _block(self, prefixes: Sequences) -> NDArray[np.float32]:
        asked, table, first = self._table(prefixes)
        if self._trees is None:
            return first
        value = np.asarray(self._trees.predict(table, num_threads=1), np.float32)
        floor = np.full(len(prefixes), np.inf, np.float32)
        np.minimum.at(floor, asked.row, value)
        best, worst = first.max(axis=1, keepdims=True), first.min(axis=1, keepdims=True)
        found = (first - best) / np.maximum(best - worst, 1e-9) + (floor - 1)[:, None]
        found[asked.row, asked.item] = value
        return np.asarray(found, np.float32)

    def _table(
        self, prefixes: Sequences
    ) -> tuple[Candidates, NDArray[np.float32], NDArray[np.float32]]:
        """The candidates, their columns, and all scores of the first channel."""
        scores = {name: channel.scores(prefixes) for name, channel in self._channels.items()}
        asked = Candidates(*union(list(scores.values()), prefixes, self.config.candidates))
        columns = {"facts": self._facts.columns(prefixes, asked)}
        for name, one in scores.items():
            columns[name] = opinions(one, asked)
            vectors = getattr(self._channels[name], "item_vectors", None)
            if vectors is not None:
                columns[f"{name} near"] = _nearness(vectors(), prefixes, asked)
        self._names = [
            f"{name} {k}" for name, part in columns.items() for k in range(part.shape[1])
        ]
        return asked, np.concatenate(list(columns.values()), axis=1), next(iter(scores.values()))


def every_prefix(
    sequences: Sequences, shortest: int = 1
) -> tuple[Sequences, NDArray[np.int32], NDArray[np.int64]]:
    """
    All prefixes with a next item, the longest of each sequence first.

    Returns:
        The prefixes, the next item of each (C,), the sequence that it comes from (C,).
    """
    count = np.maximum(sequences.lengths - shortest, 0)
    owner = np.repeat(np.arange(len(sequences)), count)
    end = sequences.start[1:][owner] - 1 - spread(np.zeros(len(count), np.int64), count)
    begin = sequences.start[:-1][owner]
    start = np.append(0, np.cumsum(end - begin)).astype(np.int64)
    at = spread(begin, end - begin)
    prefixes = Sequences(
        item=sequences.item[at],
        start=start,
        n_items=sequences.n_items,
        code=None if sequences.code is None else sequences.code[at],
        ts=None if sequences.ts is None else sequences.ts[at],
    )
    return prefixes, sequences.item[end], owner


def _sample(owner: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cases of random owners, about ``most`` of them."""
    share = most / max(len(owner), 1)
    if share >= 1:
        return np.arange(len(owner))
    return np.flatnonzero((rng.random(owner.max() + 1) < share)[owner])


def _nearness(
    vectors: NDArray[np.float32], prefixes: Sequences, asked: Candidates
) -> NDArray[np.float32]:
    """(C, 2) products of the candidate's vector with those of the last and the first item."""
    known = np.maximum(prefixes.lengths, 1)
    padded = np.append(prefixes.item, np.int32(0))
    own = vectors[asked.item]
    ends = (padded[prefixes.start[:-1] + known - 1], padded[prefixes.start[:-1]])
    return np.stack([np.einsum("cd,cd->c", own, vectors[end[asked.row]]) for end in ends], axis=1)


def _blocks(n: int) -> Iterator[NDArray[np.int64]]:
    for begin in range(0, n, BLOCK):
        yield np.arange(begin, min(begin + BLOCK, n))

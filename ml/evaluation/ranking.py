"""Where the right item stands among all items, and the figures that follow from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.ranking.sequences import Ranker, Sequences

BLOCK = 256
"""Cases scored at once; with 50,000 items a block of scores is 50 MB."""

FOLD = 32
"""Items whose maximum is looked at together when the best ones are sought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """
    Questions with their true answers.

    Shapes, C cases with T targets in all:
        prefixes:     C sequences, what is known when the question is asked
        target:       (T,) int32, the items that were right
        target_start: (C + 1,) int64, the targets of case k as in ``Sequences``
        owner:        (C,) int64, the person or session, for the bootstrap
        seen:         C sequences to leave out of the answer; ``None`` allows everything
    """

    prefixes: Sequences
    target: NDArray[np.int32]
    target_start: NDArray[np.int64]
    owner: NDArray[np.int64]
    seen: Sequences | None = None

    def __len__(self) -> int:
        """Number of cases."""
        return len(self.prefixes)

    @classmethod
    def one_each(
        cls,
        prefixes: Sequences,
        target: NDArray[Any],
        owner: NDArray[Any] | None = None,
        seen: Sequences | None = None,
    ) -> "Cases":
        """Cases with one right item each."""
        n = len(prefixes)
        return cls(
            prefixes=prefixes,
            target=np.asarray(target, np.int32),
            target_start=np.arange(n + 1, dtype=np.int64),
            owner=np.arange(n) if owner is None else np.asarray(owner, np.int64),
            seen=seen,
        )

    def blocks(self, size: int = BLOCK) -> Iterator[NDArray[np.int64]]:
        """Positions of the cases, block by block."""
        for begin in range(0, len(self), size):
            yield np.arange(begin, min(begin + size, len(self)))


@dataclass(frozen=True, slots=True)
class Ranked:
    """
    What a model answered.

    Shapes:
        rank: (T,) float64, 1 is best; items of equal score share the mean of their places
        top:  (C, k) int32, the best items of each case, for coverage and share of head items
    """

    rank: NDArray[np.float64]
    top: NDArray[np.int32]


def rank_cases(
    model: Ranker,
    cases: Cases,
    *,
    top: int = 20,
    block: int = BLOCK,
    deepest: int | None = None,
) -> Ranked:
    """
    Rank the whole catalogue for each case.

    ``rank = 1 + (items scored strictly higher) + ½ (other items with the same score)``; nothing
    is sampled. Items to leave out count as lower than everything.

    Args:
        deepest: ranks beyond this one need not be known and are infinite, which takes a tenth of
            the time where cases have many targets; at most ``top``.
    """
    if deepest is not None and deepest > top:
        raise ValueError("ranks are known as deep as the list of the best is long")
    ranks, tops = [], []
    for rows in cases.blocks(block):
        scores = model.scores(cases.prefixes.take(rows))
        if scores.shape != (len(rows), cases.prefixes.n_items):
            raise ValueError("the whole catalogue must be scored, nothing sampled")
        if not np.isfinite(scores).all():
            raise ValueError("scores must be finite")
        if cases.seen is not None:
            gone = cases.seen.take(rows)
            scores = scores.copy()
            scores[gone.owner, gone.item] = -np.inf
        best = _top(scores, min(top, scores.shape[1]))
        ranks.append(_ranks(scores, cases, rows, None if deepest is None else best[:, :deepest]))
        tops.append(best)
    if not ranks:
        return Ranked(np.zeros(0), np.zeros((0, top), np.int32))
    return Ranked(np.concatenate(ranks), np.concatenate(tops))


def _ranks(
    scores: NDArray[Any],
    cases: Cases,
    rows: NDArray[np.int64],
    best: NDArray[np.int32] | None = None,
) -> NDArray[np.float64]:
    begin, end = cases.target_start[rows[0]], cases.target_start[rows[-1] + 1]
    case = np.repeat(np.arange(len(rows)), np.diff(cases.target_start)[rows])
    target = cases.target[begin:end]
    if best is not None:
        # Whoever scores lower than the last of the best has a rank beyond it, ties included.
        last = np.take_along_axis(scores, best[:, -1:], 1)[case, 0]
        near = np.flatnonzero(scores[case, target] >= last)
        ranks = np.full(len(target), np.inf)
        ranks[near] = _counted(scores, case[near], target[near])
        return ranks
    return _counted(scores, case, target)


def _counted(
    scores: NDArray[Any], case: NDArray[np.int64], target: NDArray[Any]
) -> NDArray[np.float64]:
    found = np.empty(len(target))
    # Some targets at a time: cases with many of them would need many copies of their scores.
    for first in range(0, len(target), BLOCK):
        part = slice(first, first + BLOCK)
        own = scores[case[part], target[part]][:, None]
        is_whole = len(case) == len(scores) <= BLOCK and np.array_equal(case, np.arange(len(case)))
        all_scores = scores if is_whole else scores[case[part]]
        higher = np.count_nonzero(all_scores > own, axis=1)
        found[part] = 1 + higher + 0.5 * (np.count_nonzero(all_scores == own, axis=1) - 1)
    return found


def _top(scores: NDArray[Any], k: int) -> NDArray[np.int32]:
    """
    The k best columns of each row, best first.

    The k best items lie in the k columns whose folded maximum is highest, so only those are
    looked at one by one: a tenth of the time of a partition of the whole row.
    """
    n, v = scores.shape
    folds = v // FOLD
    if folds <= 2 * k:
        return _best(scores, np.broadcast_to(np.arange(v), (n, v)), k)
    folded = scores[:, : folds * FOLD].reshape(n, FOLD, folds).max(axis=1)
    columns = np.argpartition(-folded, k - 1, axis=1)[:, :k, None] + np.arange(FOLD) * folds
    rest = np.broadcast_to(np.arange(folds * FOLD, v), (n, v - folds * FOLD))
    items = np.concatenate([columns.reshape(n, -1), rest], axis=1)
    return _best(np.take_along_axis(scores, items, 1), items, k)


def _best(scores: NDArray[Any], items: NDArray[Any], k: int) -> NDArray[np.int32]:
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
    return np.take_along_axis(items, np.take_along_axis(best, order, 1), 1).astype(np.int32)

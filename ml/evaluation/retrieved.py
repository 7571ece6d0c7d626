"""Pool A2: what a retriever brings up for everybody, measured against all purchases."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.behaviours import PURCHASE
from ml.config import DAY_MS
from ml.dataset import Interactions
from ml.distinct import distinct
from ml.evaluation.ranking import BLOCK, Cases, Ranked
from ml.ranking.sequences import Ranker, Sequences

TOP = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Some people with their last events: ``user`` (S,) int64, sorted, beside S sequences."""

    user: NDArray[np.int64]
    past: Sequences


def purchase_cases(
    data: Interactions, cutoff: int, *, window_days: int, horizon_days: int
) -> Cases:
    """
    All purchases of the label window, one case per buyer; nobody and nothing is left out.

    Buyers without an event in the window before the cutoff have an empty prefix, and items that
    no one had touched are targets too. The owner is the person.
    """
    after = data.between(cutoff, cutoff + horizon_days * DAY_MS)
    bought = distinct(after.pair[after.code == PURCHASE])
    buyer, start = np.unique(bought // max(data.n_items, 1), return_index=True)
    return Cases(
        prefixes=histories(data, cutoff, window_days=window_days, user=buyer).past,
        target=(bought % max(data.n_items, 1)).astype(np.int32),
        target_start=np.append(start, len(bought)).astype(np.int64),
        owner=buyer.astype(np.int64),
    )


def histories(
    data: Interactions, cutoff: int, *, window_days: int, user: NDArray[Any] | None = None
) -> People:
    """Events in the window before the cutoff, oldest first; without ``user`` of all active."""
    part = data.between(cutoff - window_days * DAY_MS, cutoff)
    people = distinct(part.user) if user is None else np.asarray(user)
    order = np.argsort(part.user, kind="stable")
    order = order[np.isin(part.user[order], people)]
    count = np.bincount(np.searchsorted(people, part.user[order]), minlength=len(people))
    past = Sequences(
        item=part.item[order],
        start=np.append(0, np.cumsum(count)).astype(np.int64),
        n_items=data.n_items,
        code=part.code[order],
        ts=part.ts[order],
    )
    return People(user=people.astype(np.int64), past=past)


def retrieved_pairs(model: Ranker, people: People, *, top: int = TOP) -> NDArray[np.int64]:
    """(P,) the best items of everybody as sorted numbers person * V + item: the pairs of A2."""
    n_items, found = people.past.n_items, []
    for begin in range(0, len(people.user), BLOCK):
        rows = np.arange(begin, min(begin + BLOCK, len(people.user)))
        scores = model.scores(people.past.take(rows))
        best = np.argpartition(-scores, min(top, n_items) - 1, axis=1)[:, :top]
        found.append((people.user[rows, None] * n_items + best).ravel())
    return np.sort(np.concatenate([np.zeros(0, np.int64), *found]))


def recall_of_purchases(ranked: Ranked, cases: Cases, k: int = TOP) -> float:
    """Share of all purchases of the cases that stand among the best ``k`` of their buyer."""
    return float((ranked.rank <= k).sum()) / max(len(cases.target), 1)

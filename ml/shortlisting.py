"""Which items are worth a look for anybody, found out by looking at all of them for some people."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from ml.config import DAY_MS
from ml.dataset import Interactions
from ml.serving import History, ServingModel
from ml.serving.short import Shortlist, ShortRows

log = structlog.get_logger(__name__)

LIST = 200
"""Places of a list that the shortlist must not miss."""

LEARN, JUDGE = 300, 100
"""People whose lists make the shortlist, and others by whom it is judged."""

GOOD = 0.98
"""Share of the exact lists that it must hold, on average."""

SMALL = 5_000
"""A catalogue that is looked through faster than it is worth to think about."""


WAYS = ((1, 10), (1, 5), (1, 3), (1, 2), (1, 1), (2, 1), (4, 1))
"""
How many lists' lengths of everybody's best are looked through, and how often an item must come up.

The first that misses little is taken. What nearly came up in one list comes up in another: the
last two are for shops where everybody likes something else.
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """
    A shortlist, and how good it is.

    Attributes:
        recall: share of other people's lists that it holds, with what is near to what they touched.
        looked: share of the catalogue that one of them looks at, on average.
    """

    short: Shortlist
    recall: float
    looked: float

    @property
    def is_good(self) -> bool:
        """Whether it may answer in place of the whole catalogue."""
        return self.recall >= GOOD and self.looked <= 0.5


@dataclass(frozen=True, slots=True)
class _Shown:
    """
    One person's items, the categories they touch, and what is near to what they touched.

    Shapes:
        deep: (n,) the best by their exact scores, far more than a list has
    """

    deep: NDArray[np.int64]
    categories: NDArray[np.int32]
    around: NDArray[np.int64]

    @property
    def best(self) -> NDArray[np.int64]:
        """Their list."""
        return self.deep[:LIST]


def shortlist(
    model: ServingModel,
    data: Interactions,
    users: NDArray[Any],
    vectors: NDArray[np.float32],
    seed: int = 0,
) -> Judged | None:
    """
    Learn a shortlist from the exact lists of some people and judge it by those of others.

    Half of the judges choose how often an item must have come up, the other half have the word.

    Args:
        users: (n,) positions in the data's ``user_ids``; vectors: (n, 64).

    Returns:
        ``None`` where the shop is too small to need one.
    """
    if len(model.item_ids) < SMALL or len(users) < 2 * JUDGE:
        return None
    drawn = np.random.default_rng(seed).permutation(len(users))[: LEARN + JUDGE]
    shown = [
        _shown(model, vectors[drawn[row]], history)
        for row, history in _people(data, users[drawn], model.window_days)
    ]
    learn, choose, judge = np.split(np.array(shown, object), [-JUDGE, -JUDGE // 2])
    for lengths, least in WAYS:
        for_all, for_own = _counts(model, learn, lengths * LIST)
        short = Shortlist(for_all >= least, for_own >= least)
        if _judged(model, short, choose).recall >= GOOD:
            break
    found = _judged(model, short, judge)
    log.info(
        "shortlist_judged",
        lengths=lengths,
        least=least,
        looked=round(found.looked, 4),
        recall=round(found.recall, 4),
    )
    return found


def _shown(model: ServingModel, vector: NDArray[np.float32], history: History) -> _Shown:
    scores = model.score(vector, history, now_ms=model.as_of_ms)
    window = model.window(history, model.as_of_ms)
    deepest = LIST * max(lengths for lengths, _ in WAYS)
    return _Shown(
        deep=np.array([model.index[one] for one, _ in model.top(scores, deepest)], np.int64),
        categories=model.categories_of(window),
        around=model.around(window),
    )


def _counts(
    model: ServingModel, people: Iterable[_Shown], depth: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(V,) twice: how many lists each item came into, of others and of who touches its kind."""
    for_all, for_own = (np.zeros(len(model.item_ids), np.int64) for _ in range(2))
    for one in people:
        deep = one.deep[:depth]
        is_own = np.isin(model.category_of[deep], one.categories)
        for_own[deep[is_own]] += 1
        for_all[deep[~is_own]] += 1
    return for_all, for_own


def _judged(model: ServingModel, short: Shortlist, people: Iterable[_Shown]) -> Judged:
    rows = ShortRows(short, model.category_of, model.is_listed)
    held, looked = [], []
    for one in people:
        seen = rows.of(one.categories, one.around)
        held.append(float(np.isin(one.best, seen).mean()) if len(one.best) else 1.0)
        looked.append(len(seen) / len(model.item_ids))
    return Judged(short, float(np.mean(held)), float(np.mean(looked)))


def _people(
    data: Interactions, users: NDArray[Any], window_days: int
) -> Iterator[tuple[int, History]]:
    since = data.settled_end_ms - window_days * DAY_MS
    late = np.flatnonzero((data.ts > since) & (data.ts <= data.settled_end_ms))
    order = late[np.argsort(data.user[late], kind="stable")]
    owner = data.user[order]
    ids = data.catalogue.item_ids
    for row, user in enumerate(users.tolist()):
        own = order[np.searchsorted(owner, user) : np.searchsorted(owner, user, side="right")]
        yield (
            row,
            History(
                [ids[item] for item in data.item[own].tolist()],
                data.code[own].tolist(),
                data.ts[own].tolist(),
                data.price[own].tolist(),
            ),
        )

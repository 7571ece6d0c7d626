"""Which items are worth a look for anybody, found out by looking at all of them for some people."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from ml.config import DAY_MS
from ml.dataset import Interactions
from ml.serving import History, ServingModel

log = structlog.get_logger(__name__)

LIST = 200
"""Places of a list that the shortlist must not miss."""

LEARN, JUDGE = 300, 100
"""People whose lists make the shortlist, and others by whom it is judged."""

GOOD = 0.98
"""Share of the exact lists that it must hold, on average over the judges."""

SMALL = 5_000
"""A catalogue that is looked through faster than it is worth to think about."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """
    Items that came up in the list of anybody, and how much of other people's lists they hold.

    Shapes:
        is_in: (V,) bool
    """

    is_in: NDArray[np.bool_]
    recall: float

    @property
    def is_good(self) -> bool:
        """Whether it may answer in place of the whole catalogue."""
        return self.recall >= GOOD and self.is_in.mean() <= 0.5


def shortlist(
    model: ServingModel,
    data: Interactions,
    users: NDArray[Any],
    vectors: NDArray[np.float32],
    seed: int = 0,
) -> Shortlist | None:
    """
    Learn a shortlist from the exact lists of some people and judge it by those of others.

    Args:
        users: (n,) positions in the data's ``user_ids``; vectors: (n, 64).

    Returns:
        ``None`` where the shop is too small to need one.
    """
    if len(model.item_ids) < SMALL or len(users) < 2 * JUDGE:
        return None
    drawn = np.random.default_rng(seed).permutation(len(users))[: LEARN + JUDGE]
    is_in = np.zeros(len(model.item_ids), bool)
    held: list[float] = []
    for place, (row, history) in enumerate(_people(data, users[drawn], model.window_days)):
        vector = vectors[drawn[row]]
        scores = model.score(vector, history, now_ms=model.as_of_ms)
        best = [model.index[item_id] for item_id, _ in model.top(scores, LIST)]
        if place < len(drawn) - JUDGE:
            is_in[best] = True
        else:
            wanted = is_in | model.around(history, model.as_of_ms)
            held.append(float(wanted[best].mean()))
    found = Shortlist(is_in, float(np.mean(held)))
    log.info("shortlist_judged", items=int(is_in.sum()), recall=round(found.recall, 4))
    return found


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

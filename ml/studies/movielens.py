"""MovieLens 100K, twice: by time as Gorse's comparison has it, at random as RecBole cuts it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ml.evaluation.groups import Masks, by_history
from ml.evaluation.ranking import Cases, Ranked
from ml.evaluation.ranking_metrics import summary
from ml.evaluation.records import Goal, Row, Study
from ml.ranking.ease import EASE
from ml.ranking.factors import ALS, BPR
from ml.ranking.item_knn import ItemKNN
from ml.ranking.lightgcn import LightGCN, LightGCNConfig
from ml.ranking.markov import Markov
from ml.ranking.popular import Popular
from ml.ranking.rated import LIKED, OfLiked, RatedChannel, RatedConfig, RatedStack
from ml.studies import Plan, Tell
from ml.studies.contest import Contender, Contest
from ml.studies.movielens_data import (
    Ratings,
    both,
    eight_one_one,
    joined,
    last_tenth,
    questions,
    read,
)

FIGURES = ("recall@10", "ndcg@10", "hit@10")
OURS, BLEND = "fusion", "fusion without trees"
TIME_GOALS = {"recall@10": 0.175, "ndcg@10": 0.145}
RECBOLE_GOALS = {"recall@10": 0.285, "ndcg@10": 0.335}
GRAPH = LightGCNConfig(epochs=12, batch=2048, negatives=256, learning_rate=0.01)
SPLITS = (1, 2, 3, 4, 5)


def by_time(seed: int) -> dict[str, RatedChannel]:
    """Rankers that read order, chosen and weighed on the last tenth of the training part."""
    return {
        "EASE": RatedChannel(make=lambda: EASE(ridge=400, decay=0.95), weight=1.0),
        "EASE of likes": RatedChannel(
            make=lambda: OfLiked(EASE(ridge=200, decay=0.98)), weight=1.0
        ),
        "transitions": RatedChannel(make=_transitions, weight=0.5),
        "next": RatedChannel(make=lambda: Markov(steps=3, decay=0.5, damping=1.0), weight=0.0),
        "neighbours": RatedChannel(
            make=lambda: ItemKNN(neighbours=100, decay=0.9, shrink=5), weight=0.0
        ),
        "factors": RatedChannel(
            make=lambda: OfLiked(ALS(factors=32, weight=4, regularisation=10, seed=seed)),
            weight=0.5,
        ),
    }


def at_random(seed: int) -> dict[str, RatedChannel]:
    """Rankers for held-out ratings of any time, chosen and weighed on the validation part."""
    return {
        "EASE": RatedChannel(make=lambda: EASE(ridge=250), weight=1.0),
        "EASE, stiff": RatedChannel(make=lambda: EASE(ridge=1000), weight=0.5),
        "EASE of likes": RatedChannel(make=lambda: OfLiked(EASE(ridge=250)), weight=0.3),
        "factors": RatedChannel(
            make=lambda: ALS(factors=32, weight=2, regularisation=10, seed=seed), weight=1.0
        ),
        "neighbours": RatedChannel(make=lambda: ItemKNN(neighbours=100, shrink=10), weight=0.0),
        "sittings": RatedChannel(
            make=lambda: Markov(steps=20, decay=1.0, memory=1000, backward=1.0), weight=0.0
        ),
    }


def _transitions() -> Markov:
    return Markov(steps=20, decay=0.9, memory=100, backward=0.5)


RANDOM_TREES = RatedConfig(leaves=7, trees=100)


def movielens_time(plan: Plan, tell: Tell) -> Study:
    """The last tenth of each person's ratings, of which those of 4 and 5 are to be found."""
    torch.set_num_threads(1)
    past, latest = last_tenth(read(plan.data))
    cases = questions(past, past, latest, LIKED)
    seeds = plan.seeds[:1] if plan.quick else plan.seeds
    contest = Contest(past.sequences(), cases, seeds, plan.draws, FIGURES)
    contest.enter_all(_baselines(is_timed=True), tell, 0.7)
    baselines = list(contest.ranked)
    tell("learn the stack", 0.7)
    _enter(contest, lambda seed: _time_stack(past, seed))
    rows = contest.rows()
    ours = next(row for row in rows if row.model == OURS)
    return Study(
        name="movielens-time",
        title="MovieLens 100K, by time",
        protocol=(
            "The last tenth of each person's ratings by time, rounded up, ties in the order of "
            "the file; those of 4 and 5 are to be found among all films, rated ones left out. "
            "Settings and trees were chosen on the last tenth of the rest. People without "
            "anything to find count as zero; the group of those with something leaves them out, "
            "as Gorse does. Bootstrap over people."
        ),
        cases=len(cases),
        rows=rows,
        gains=[contest.gain(OURS, contest.best(f, baselines), f) for f in TIME_GOALS],
        ablation=[contest.gain(OURS, BLEND, f, first_seed=True) for f in TIME_GOALS],
        groups=contest.groups(_groups(cases), [*baselines, OURS]),
        goals=_goals(ours, TIME_GOALS),
        notes=[
            "Each person is cut at a time of their own, so others' later ratings are known to "
            "all models alike.",
        ],
    )


def movielens_recbole(plan: Plan, tell: Tell) -> Study:
    """RecBole's protocol: 8:1:1 at random within each person, all ratings alike."""
    torch.set_num_threads(1)
    ratings = read(plan.data)
    splits = SPLITS[:1] if plan.quick else SPLITS
    parts = []
    for done, split in enumerate(splits):
        tell(f"split {split}", done / len(splits))
        parts.append(_of_split(ratings, split, plan.draws))
    whole = _merged(parts)
    baselines = [name for name in whole.ranked if name not in (OURS, BLEND)]
    rows = whole.rows()
    ours = next(row for row in rows if row.model == OURS)
    return Study(
        name="movielens-recbole",
        title="MovieLens 100K, RecBole's protocol",
        protocol=(
            "Each person's ratings are cut 8:1:1 at random; all count alike, the whole catalogue "
            "is ranked, films of training and validation are left out. Models learn from the "
            "eight parts, settings and trees from the ninth. Means over "
            f"{len(splits)} splits; bootstrap over people, all their splits together."
        ),
        cases=len(whole.cases),
        rows=rows,
        gains=[whole.gain(OURS, whole.best(f, baselines), f) for f in RECBOLE_GOALS],
        ablation=[whole.gain(OURS, BLEND, f) for f in RECBOLE_GOALS],
        groups=whole.groups(by_history(whole.cases.prefixes.lengths), ["EASE", OURS]),
        goals=_goals(ours, RECBOLE_GOALS),
        notes=[
            _spread(parts, "EASE"),
            _spread(parts, OURS),
            "What is trained has one seed per split.",
        ],
    )


def _baselines(*, is_timed: bool) -> list[Contender]:
    weight = 4 if is_timed else 2
    found = [
        Contender(name="popularity", make=lambda _: Popular()),
        Contender(
            name="Item-KNN",
            make=lambda _: ItemKNN(neighbours=300 if is_timed else 2000, damping=0.5),
        ),
        Contender(name="EASE", make=lambda _: EASE(ridge=100 if is_timed else 250)),
        Contender(
            name="ALS",
            make=lambda seed: ALS(factors=32, weight=weight, regularisation=10, seed=seed),
            is_random=True,
        ),
        Contender(
            name="BPR",
            make=lambda seed: BPR(
                factors=32, learning_rate=0.01, regularisation=0.003, iterations=50, seed=seed
            ),
            is_random=True,
        ),
        Contender(name="LightGCN", make=lambda seed: LightGCN(GRAPH, seed=seed), is_random=True),
    ]
    if not is_timed:
        return found
    return [
        *found,
        Contender(name="EASE, recency", make=lambda _: EASE(ridge=400, decay=0.95)),
        Contender(
            name="EASE of likes, recency", make=lambda _: OfLiked(EASE(ridge=200, decay=0.98))
        ),
        Contender(name="Markov", make=lambda _: _transitions()),
    ]


def _stack(
    channels: dict[str, RatedChannel],
    config: RatedConfig,
    seed: int,
    known: Ratings,
    right: NDArray[np.bool_],
) -> RatedStack:
    """Channels that know ``known``, and trees that were told what was ``right`` after it."""
    stack = RatedStack(channels, config, seed)
    stack.fit(known.sequences())
    stack.learn(known.sequences(), right)
    return stack


def _enter(contest: Contest, make: Callable[[int], RatedStack]) -> None:
    stacks = contest.enter(Contender(name=OURS, make=make, is_random=True, is_fitted=True))
    assert isinstance(stacks[0], RatedStack)
    blend = stacks[0].without_trees()
    contest.enter(Contender(name=BLEND, make=lambda _: blend, is_fitted=True, note="one seed"))


def _time_stack(past: Ratings, seed: int) -> RatedStack:
    earlier, later = last_tenth(past)
    stack = _stack(by_time(seed), RatedConfig(), seed, earlier, later.right(LIKED))
    stack.fit(past.sequences())
    return stack


def _of_split(ratings: Ratings, split: int, draws: int) -> Contest:
    train, valid, test = eight_one_one(ratings, split)
    cases = questions(train, both(train, valid), test, 1)
    contest = Contest(train.sequences(), cases, (split,), draws, FIGURES)
    for one in _baselines(is_timed=False):
        contest.enter(one)
    _enter(
        contest,
        lambda seed: _stack(at_random(seed), RANDOM_TREES, seed, train, valid.right(1)),
    )
    return contest


def _merged(parts: Sequence[Contest]) -> Contest:
    """All splits as one contest; seconds are those of all splits."""
    first = parts[0]
    whole = replace(
        first, cases=joined([one.cases for one in parts]), ranked={}, cost={}, notes=first.notes
    )
    for name in first.ranked:
        answers = [one.ranked[name][0] for one in parts]
        whole.ranked[name] = [
            Ranked(
                np.concatenate([one.rank for one in answers]),
                np.concatenate([one.top for one in answers]),
            )
        ]
        costs = [one.cost[name] for one in parts]
        whole.cost[name] = sum(cost[0] for cost in costs), max(cost[1] for cost in costs)
    return whole


def _spread(parts: Sequence[Contest], model: str) -> str:
    """How far apart the splits are: one of them alone is luck."""
    said = []
    for figure in RECBOLE_GOALS:
        found = [summary(one.ranked[model][0], one.cases, [figure])[figure] for one in parts]
        said.append(f"{figure} {min(found):.4f} to {max(found):.4f}")
    return f"{model} over {len(parts)} splits: {', '.join(said)}."


def _groups(cases: Cases) -> Masks:
    has_answer = np.diff(cases.target_start) > 0
    return {"with something to find": has_answer} | by_history(cases.prefixes.lengths)


def _goals(row: Row, bars: dict[str, float]) -> list[Goal]:
    return [
        Goal(what=f"{row.model}, {figure}", value=row.figures[figure].value, bar=bar)
        for figure, bar in bars.items()
    ]

"""Reviews of Amazon Beauty: the last item of each person is to be foretold."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ml.evaluation.groups import by_history, by_popularity
from ml.evaluation.ranking import Cases
from ml.evaluation.records import Gain, Goal, Row, Study
from ml.ranking.causal_attention import CausalAttention, CausalAttentionConfig
from ml.ranking.ease import EASE
from ml.ranking.factors import ALS, BPR
from ml.ranking.item_knn import ItemKNN
from ml.ranking.lightgcn import LightGCN, LightGCNConfig
from ml.ranking.markov import Markov
from ml.ranking.popular import Popular
from ml.ranking.sequences import Ranker, Sequences
from ml.ranking.shortlist import Channel, Shortlist
from ml.ranking.slist import SLIST
from ml.studies import Plan, Tell
from ml.studies.contest import Contender, Contest
from ml.studies.shared_models import Shared

FILE = Path("amazon_beauty_sequences") / "Beauty.txt.gz"
FIGURES = ("recall@10", "ndcg@10", "recall@20")
GOALS = {"ndcg@10": 0.056, "recall@10": 0.092}
OURS, BLEND, ATTENTION = "fusion", "fusion without trees", "attention with a head start"
QUICK = 16
"""A quick look takes one person in so many, and only their items."""

NET = CausalAttentionConfig(epochs=8, batch=512, learning_rate=2e-3)
GRAPH = LightGCNConfig(epochs=6, temperature=0.1, negatives=512)
PARTS = {
    "attention": "fusion without attention",
    "transitions": "fusion without transitions",
    "linear": "fusion without the linear map",
}


def read(folder: Path) -> Sequences:
    """One sequence per person, oldest item first; the file counts items from 1."""
    with gzip.open(folder / FILE, "rt") as lines:
        rows = [[int(item) - 1 for item in line.split()[1:]] for line in lines]
    return Sequences.of(rows, max(max(row) for row in rows) + 1)


def beauty(plan: Plan, tell: Tell) -> Study:
    """The study; models learn from all but the last two items of each person."""
    torch.set_num_threads(1)
    whole = read(plan.data)
    if plan.quick:
        whole = _smaller(whole)
    known = whole.without_last()
    cases = Cases.one_each(known, whole.item[whole.start[1:] - 1], seen=known)
    seeds = plan.seeds[:1] if plan.quick else plan.seeds
    contest = Contest(known.without_last(), cases, seeds, plan.draws, FIGURES)
    linear = Shared(SLIST)
    contest.enter_all(_baselines(linear.view), tell, 0.5)
    baselines = list(contest.ranked)
    nets = {seed: Shared(partial(CausalAttention, NET, seed=seed)) for seed in seeds}
    tell(f"learn and rank {ATTENTION}", 0.5)
    contest.enter(Contender(name=ATTENTION, make=lambda seed: nets[seed].view(), is_random=True))
    tell("learn the shortlist", 0.75)
    ours = _enter_ours(contest, nets, linear.view)
    for one in _without(ours):
        contest.enter(one)
    contest.enter(
        Contender(
            name="Markov, told more",
            make=lambda _: Markov(damping=0.3),
            past=known,
            note="learned from the last but one too: another protocol, for scale only",
        )
    )
    return _report(contest, baselines)


def _smaller(whole: Sequences) -> Sequences:
    part = whole.take(np.arange(0, len(whole), QUICK))
    items, item = np.unique(part.item, return_inverse=True)
    return replace(part, item=item.astype(np.int32), n_items=len(items))


def _baselines(linear: Callable[[], Ranker]) -> list[Contender]:
    ease = EASE(ridge=200)
    random_start = replace(NET, head_start=False)
    return [
        Contender(name="popularity", make=lambda _: Popular()),
        Contender(name="Item-KNN", make=lambda _: ItemKNN(neighbours=1000)),
        Contender(name="Item-KNN, recency", make=lambda _: ItemKNN(decay=0.8, shrink=5)),
        Contender(name="Markov", make=lambda _: Markov(damping=0.3)),
        Contender(name="EASE", make=lambda _: ease),
        Contender(name="EASE, recency", make=lambda _: ease.decaying(0.6), is_fitted=True),
        Contender(name="SLIST", make=lambda _: linear()),
        Contender(name="ALS", make=lambda seed: ALS(weight=40, seed=seed), is_random=True),
        Contender(
            name="BPR",
            make=lambda seed: BPR(iterations=200, regularisation=0.02, seed=seed),
            is_random=True,
        ),
        Contender(name="LightGCN", make=lambda seed: LightGCN(GRAPH, seed=seed), is_random=True),
        Contender(
            name="SASRec",
            make=lambda seed: CausalAttention(random_start, seed=seed),
            is_random=True,
            note=f"the same network from random vectors, {NET.epochs} epochs",
        ),
    ]


def _enter_ours(
    contest: Contest, nets: Mapping[int, Shared], linear: Callable[[], Ranker]
) -> Shortlist:
    first = contest.seeds[0]
    channels = {
        "attention": Channel(make=nets[first].view, weight=1.0, is_logit=True),
        "linear": Channel(make=linear, weight=0.5),
        "transitions": Channel(
            make=lambda: Markov(steps=10, damping=0.3, backward=0.3), weight=0.5
        ),
        "neighbours": Channel(
            make=lambda: ItemKNN(neighbours=1000, decay=0.8, shrink=5, damping=0.5), weight=0.0
        ),
    }
    ours = Shortlist(channels, seed=first)

    def with_net(seed: int) -> Ranker:
        if seed == first:
            ours.learn(contest.cases.prefixes)
        net = nets[seed].view()
        net.fit(contest.past)
        return ours.exchanged("attention", net)

    note = "seeds of the network; the trees learn once"
    contest.enter(Contender(name=OURS, make=with_net, is_random=True, is_fitted=True, note=note))
    return ours


def _without(ours: Shortlist) -> list[Contender]:
    def part(channel: str) -> Callable[[int], Ranker]:
        return lambda _: ours.without(channel)

    makers = {BLEND: lambda _: ours.blend(), **{name: part(one) for one, name in PARTS.items()}}
    return [
        Contender(name=name, make=make, is_fitted=True, note="one seed")
        for name, make in makers.items()
    ]


def _report(contest: Contest, baselines: list[str]) -> Study:
    rows = contest.rows()
    length = contest.cases.prefixes.lengths
    popularity = np.bincount(contest.past.item, minlength=contest.past.n_items)
    masks = by_history(length) | by_popularity(contest.cases.target, popularity)
    ours = next(row for row in rows if row.model == OURS)
    return Study(
        name="beauty",
        title="Amazon Beauty, the next item",
        protocol=(
            "Leave-one-out: the last item of each person is asked for. Models learn from all but "
            "the last two; the last but one chose all settings, teaches the trees and stands in "
            "the history of the question. The whole catalogue is ranked, a person's own items "
            "are left out. Bootstrap over people."
        ),
        cases=len(contest.cases),
        rows=rows,
        gains=[_over_best(contest, figure, baselines) for figure in GOALS],
        ablation=[
            contest.gain(OURS, name, figure, first_seed=True)
            for name in (BLEND, *PARTS.values())
            for figure in GOALS
        ],
        groups=contest.groups(masks, ["Markov", "EASE, recency", ATTENTION, OURS]),
        goals=[_goal(ours, figure, bar) for figure, bar in GOALS.items()],
        notes=[
            "There are no times in the file, and each person's last item is asked for, whenever "
            "that was: others' later behaviour is known to all models alike.",
            "The ablations learn new trees on the lists that the whole fusion made in learning.",
        ],
    )


def _over_best(contest: Contest, figure: str, baselines: list[str]) -> Gain:
    return contest.gain(OURS, contest.best(figure, baselines), figure)


def _goal(row: Row, figure: str, bar: float) -> Goal:
    return Goal(what=f"{row.model}, {figure}", value=row.figures[figure].value, bar=bar)

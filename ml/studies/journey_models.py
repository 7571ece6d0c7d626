"""What competes on Complete Journey: baselines, the stack's steps, the stack without its parts."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ml.calibration import sigmoid
from ml.evaluation.metrics import log_loss
from ml.intent.columns import SUB
from ml.intent.fit_stack import SHARES
from ml.intent.linear import Column, Logistic
from ml.intent.mlp import Inputs, MlpSettings, train
from ml.intent.table import Table
from ml.intent.trees import Trees, TreeSettings

POPULARITY, HISTORY = "popularity", "own history"
LR, LR_PROMOTION = "LR on counters", "LR on counters + promotion"
PLAIN, PROMOTED = "LightGBM on counters", "LightGBM on counters + promotion"
LONGER = "LightGBM on counters + promotion + all of the past"
TREES, NETWORKS = "stack: trees alone", "stack: networks alone"
ONE_SEED, STACK = "stack of one seed", "stack"

COUNTERS = (
    *(f"days{k}" for k in ("", "_1", "_2", "_4", "_8", "_13")),
    *("lines", "elapsed", "gap_mean", "gap_ratio"),
    *(f"person_trips_{k}" for k in (1, 4, 13, 26)),
    *(f"person_lines_{k}" for k in (1, 4, 26)),
    *("person_elapsed", "person_gap", "person_gap_ratio", "person_spend_4", "person_active"),
    *("person_repeat_4", "person_repeat_13", "person_discount", "department_share"),
    *(f"item_buyers_{k}" for k in (1, 4, 13, 26)),
    *("item_trend_1", "item_trend_4", "item_repeat_4", "item_repeat_13", "item_price"),
)
"""What anybody would count in the window: the baselines' columns."""

PROMOTION = (
    *("leaflet", "display", "leaflet_share", "display_share"),
    *("item_discount_1", "pair_discount"),
)
"""What the baselines know of promotions."""

ALL_PAST = ("lines_ever", "lines_39", "decayed_60")
"""Columns that look back further than the window, or weigh what is in it."""

STEPS: tuple[tuple[str, ...], ...] = (
    ("timing", "household", "item"),
    ("hazards",),
    ("need",),
    ("promotion",),
    ("graph",),
    (SUB,),
)
"""Groups of columns in the order in which the steps add them."""

ALL = "trees on all columns"
"""The last step, which adds the sub-models."""

LATE = 6
"""Weeks that logistic regression learns from; more do not change what a straight line sees."""

Logits = NDArray[np.float64]


@dataclass(slots=True)
class Said:
    """
    What models said about the pairs of one table, and what it cost.

    Attributes:
        logits: by model, one (P,) per seed.
        seconds: by model, of all its seeds.
    """

    table: Table
    logits: dict[str, list[Logits]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def probability(self, model: str) -> list[NDArray[np.float64]]:
        """One (P,) per seed; pairs were weighted to the natural rate, so nothing is corrected."""
        return [sigmoid(one) for one in self.logits[model]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """
    Settings that validation chose.

    Attributes:
        rounds: trees by model.
        share: the networks' part in the stack.
    """

    rounds: Mapping[str, int]
    share: float


def baselines(train_on: Table, ask: Table, rounds: Mapping[str, int], seeds: Sequence[int]) -> Said:
    """Columns alone, logistic regression and trees on counters with promotion."""
    said = Said(ask)
    single_columns(train_on, said)
    grow(PROMOTED, train_on.only((*COUNTERS, *PROMOTION)), said, rounds, seeds)
    grow(LONGER, train_on.only((*COUNTERS, *PROMOTION, *ALL_PAST)), said, rounds, seeds)
    return said


def single_columns(train_on: Table, said: Said) -> None:
    """Add what needs no seed: a column alone, and weighted sums of columns of the last weeks."""
    late = train_on.take(train_on.cutoff >= np.unique(train_on.cutoff)[-LATE:][0])
    models: tuple[tuple[str, Column | Logistic, tuple[str, ...]], ...] = (
        (POPULARITY, Column("item_buyers_4"), ("item_buyers_4",)),
        (HISTORY, Column("decayed_60"), ("decayed_60",)),
        (LR, Logistic(), COUNTERS),
        (LR_PROMOTION, Logistic(), (*COUNTERS, *PROMOTION)),
    )
    for name, model, columns in models:
        begun = time.monotonic()
        model.fit(_softened(late.only(columns)))
        said.logits[name] = [model.logits(_softened(said.table.only(columns)))]
        said.seconds[name] = time.monotonic() - begun


def grow(
    name: str, train_on: Table, said: Said, rounds: Mapping[str, int], seeds: Sequence[int]
) -> None:
    """Add trees on the columns of ``train_on`` to what was said."""
    begun, ask = time.monotonic(), said.table.only(train_on.names)
    settings = replace(_settings(train_on), rounds=rounds[name], patience=0)
    said.logits[name] = [one.logits(ask) for one in Trees.with_seeds(train_on, settings, seeds)]
    said.seconds[name] = time.monotonic() - begun


def stack(
    train_on: Table,
    said: Said,
    kinds: NDArray[np.int32],
    chosen: Chosen,
    seeds: Sequence[int],
    networks: int,
) -> None:
    """Add the stack and both of its parts; each seed has trees and networks of its own."""
    grow(TREES, train_on, said, chosen.rounds, seeds)
    connect(train_on, said, kinds, seeds, networks)
    blend(said, chosen.share)


def connect(
    train_on: Table,
    said: Said,
    kinds: NDArray[np.int32],
    seeds: Sequence[int],
    networks: int,
) -> None:
    """Add the networks: each seed's logit is the mean of several."""
    begun = time.monotonic()
    rng = np.random.default_rng(0)
    inputs = Inputs.of(thinned(train_on, rng), kinds, rng)
    said.logits[NETWORKS] = []
    for seed in seeds:
        several = [
            train(inputs, seed=seed + 100 * k, settings=MlpSettings(least_steps=200)).logits(
                said.table
            )
            for k in range(networks)
        ]
        said.logits[NETWORKS].append(np.mean(several, axis=0))
    said.seconds[NETWORKS] = time.monotonic() - begun


def thinned(table: Table, rng: np.random.Generator) -> Table:
    """Every second pair that was not bought, with twice the weight: networks learn as well."""
    is_kept = table.label | (rng.random(len(table)) < 0.5)
    kept = table.take(is_kept)
    return replace(kept, weight=np.where(kept.label, kept.weight, 2 * kept.weight))


def blend(said: Said, share: float) -> None:
    """Add the stack: of each seed alone, and of all seeds together, which is what is served."""
    said.logits[ONE_SEED] = [
        (1 - share) * tree + share * network
        for tree, network in zip(said.logits[TREES], said.logits[NETWORKS], strict=True)
    ]
    said.logits[STACK] = [np.mean(said.logits[ONE_SEED], axis=0)]
    said.seconds[STACK] = said.seconds.get(TREES, 0.0) + said.seconds[NETWORKS]


def choose(
    train_on: Table, validation: Table, kinds: NDArray[np.int32], most: int
) -> tuple[Chosen, Said]:
    """Rounds and share that suit the validation week best, and what is said about it."""
    said, rounds = Said(validation), {}
    single_columns(train_on, said)
    for name, columns in (
        (PLAIN, COUNTERS),
        (PROMOTED, (*COUNTERS, *PROMOTION)),
        (LONGER, (*COUNTERS, *PROMOTION, *ALL_PAST)),
        (TREES, train_on.names),
    ):
        trees, own = (
            Trees(seed=0, settings=_settings(train_on.only(columns), most)),
            validation.only(columns),
        )
        trees.fit(train_on.only(columns), validation=own)
        rounds[name], said.logits[name] = trees.rounds, [trees.logits(own)]
    connect(train_on, said, kinds, [0], 1)
    tree, network = said.logits[TREES][0], said.logits[NETWORKS][0]
    loss = [
        log_loss(validation.label, sigmoid((1 - share) * tree + share * network))
        for share in SHARES
    ]
    chosen = Chosen(rounds=rounds, share=SHARES[int(np.argmin(loss))])
    blend(said, chosen.share)
    return chosen, said


def _settings(table: Table, rounds: int = 200) -> TreeSettings:
    """Of many columns each round sees few, and fewer pairs: as good in half the time."""
    if len(table.names) <= 2 * len(COUNTERS):
        return TreeSettings(rounds=rounds)
    return TreeSettings(rounds=rounds, column_share=0.15, row_share=0.4, learning_rate=0.12)


def steps(members: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Columns of each step from the counters to all, by what it adds."""
    columns = [*COUNTERS]
    found = {PLAIN: tuple(columns), PROMOTED: (*columns, *PROMOTION)}
    columns += PROMOTION
    for groups in STEPS:
        columns += [name for group in groups for name in members[group]]
        found["+ " + ", ".join(groups)] = tuple(columns)
    found[ALL] = found.pop("+ " + ", ".join(STEPS[-1]))
    return found


def _softened(table: Table) -> Table:
    """Lines do better on the logarithms of counts and days."""
    values = np.sign(table.values) * np.log1p(np.abs(table.values))
    return replace(table, values=values.astype(np.float32))

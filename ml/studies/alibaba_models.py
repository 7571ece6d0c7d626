"""The models of the study on Alibaba 2014 and what each says on every day that is asked about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.meter import Meter
from ml.intent.linear import Column, LinearSvm, Logistic
from ml.intent.table import Classifier, Table
from ml.intent.trees import Trees, TreeSettings
from ml.studies.alibaba_data import HORIZON_DAYS, Lessons, day_of

Logits = NDArray[np.float64]

HORIZONS = (3, 7, HORIZON_DAYS)
"""Label windows of the fusion, in days: the shorter ones teach what happened until yesterday."""

FUSION = "fusion"
TREES = "LightGBM"
DAILY = "LightGBM, 14 d, every day"

_SMALL = TreeSettings(rounds=150, learning_rate=0.03, leaves=8, leaf_rows=100)
_LARGE_LEAVES = TreeSettings(rounds=150, learning_rate=0.03, leaves=8, leaf_rows=500)


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says: per seed (P,) logits beside the asked pairs; time and memory of a seed."""

    logits: list[Logits]
    seconds: float
    peak_mb: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """Made from a seed, learns from one of the lessons; ``is_random`` ones repeat per seed."""

    make: Callable[[int], Classifier]
    lesson: Callable[[Lessons, int], Table]
    is_random: bool = False
    note: str = ""


def _spaced(lessons: Lessons, day: int) -> Table:
    return lessons.every_horizon(day)


def _daily(horizon_days: int) -> Callable[[Lessons, int], Table]:
    return lambda lessons, day: lessons.daily(day, horizon_days)


MODELS: dict[str, Model] = {
    "popularity": Model(lambda _: Column("item_look_7d"), _spaced),
    "own history": Model(
        lambda _: Column("days_since_touch", sign=-1.0), _spaced, note="latest touch first"
    ),
    "decayed clicks": Model(lambda _: Column("decayed_touches"), _spaced, note="τ 7 d"),
    "logistic regression": Model(lambda _: Logistic(), _spaced),
    "linear SVM": Model(lambda seed: LinearSvm(seed=seed), _spaced),
    TREES: Model(
        lambda seed: Trees(seed=seed, settings=_SMALL), _spaced, True, "labels every 14 days"
    ),
}
"""Everything on the same counters; labels every 14 days."""

LINE = "logistic regression, every day"
LINE_SHARE = 0.3
"""Its part in the fusion, chosen by log-loss on days 60 to 81; the trees share the rest."""

PARTS: dict[str, Model] = {
    f"LightGBM, {days} d, every day": Model(
        lambda seed: Trees(seed=seed, settings=_LARGE_LEAVES),
        _daily(days),
        True,
        f"labels of {days} d, every day",
    )
    for days in HORIZONS
} | {LINE: Model(lambda _: Logistic(), _daily(HORIZON_DAYS), note="labels of 14 d, every day")}
"""What the fusion is made of."""


def ask(
    model: Model,
    lessons: Lessons,
    asked: Table,
    refits: Mapping[int, Sequence[int]],
    seeds: Sequence[int],
) -> Said:
    """
    Fit on every refit day and answer the days that it serves.

    Args:
        refits: day of the fit, then the days whose pairs it answers.
    """
    days, said = day_of(asked), []
    with Meter() as meter:
        for seed in seeds if model.is_random else seeds[:1]:
            logits = np.zeros(len(asked))
            for refit, served in refits.items():
                one = model.make(seed)
                one.fit(model.lesson(lessons, refit))
                rows = np.flatnonzero(np.isin(days, served))
                logits[rows] = one.logits(asked.take(rows))
            said.append(logits)
    return Said(said, meter.seconds / len(said), meter.peak_mb, model.note)


def fuse(said: Mapping[str, Said]) -> Said:
    """The mean of the trees' logits with the line's, seed by seed."""
    trees = [one for name, one in said.items() if name != LINE]
    line = said[LINE]
    return Said(
        [
            (1 - LINE_SHARE) * np.mean(each, axis=0) + LINE_SHARE * line.logits[0]
            for each in zip(*(one.logits for one in trees), strict=True)
        ],
        sum(one.seconds for one in said.values()),
        max(one.peak_mb for one in said.values()),
        f"LightGBM on labels of 3, 7 and 14 d with {LINE_SHARE:.0%} of a line, every day",
    )

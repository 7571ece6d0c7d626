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
DAILY = "LightGBM, every day"

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

PARTS: dict[int, Model] = {
    days: Model(
        lambda seed: Trees(seed=seed, settings=_LARGE_LEAVES),
        _daily(days),
        True,
        f"labels of {days} d, every day",
    )
    for days in HORIZONS
}
"""The fusion is the mean of their logits."""


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


def blend(parts: Sequence[Said], note: str) -> Said:
    """The mean of the logits, seed by seed."""
    return Said(
        [np.mean(each, axis=0) for each in zip(*(part.logits for part in parts), strict=True)],
        sum(part.seconds for part in parts),
        max(part.peak_mb for part in parts),
        note,
    )

"""Rows of a report about purchase intent: calibrated, thresholded and compared alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.calibration import fit_platt
from ml.evaluation.bootstrap import metric_interval, paired_metric_difference
from ml.evaluation.metrics import best_threshold, summary
from ml.evaluation.records import Figure, Gain, Row

WITH_INTERVAL = ("ap", "auc", "log_loss")


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a model said of the test pairs.

    Attributes:
        probability: (P,) calibrated on validation.
        threshold: the probability from which on "yes" had the best F1 on validation.
    """

    probability: NDArray[np.float64]
    threshold: float


def answer(
    label: NDArray[Any],
    logit: NDArray[Any],
    asked: NDArray[Any],
    weight: NDArray[Any] | None = None,
) -> Answer:
    """
    Calibrate the test logits ``asked`` and set the threshold, from validation pairs alone.

    Args:
        label, logit, weight: of the validation pairs.
    """
    platt = fit_platt(label, logit, weight)
    return Answer(platt.apply(asked), best_threshold(label, platt.apply(logit)))


def intent_row(
    model: str,
    label: NDArray[Any],
    answers: Answer | Sequence[Answer],
    owner: NDArray[Any],
    *,
    draws: int,
    rng: np.random.Generator,
    train_rate: float | None = None,
    seconds: float = 0.0,
    peak_mb: float = 0.0,
    note: str = "",
) -> Row:
    """A model's row on test pairs; given one answer per seed it holds means and deviations."""
    seeds = _seeds(answers)
    each = [summary(label, one.probability, one.threshold, train_rate=train_rate) for one in seeds]
    row = {name: _figure([one[name] for one in each]) for name in each[0]}
    said = [one.probability for one in seeds]
    for name in WITH_INTERVAL:
        found = metric_interval(name, label, said, owner, draws=draws, rng=rng)
        row[name] = Figure(found.value, found.low, found.high, row[name].deviation)
    return Row(
        model=model, figures=row, seeds=len(seeds), seconds=seconds, peak_mb=peak_mb, note=note
    )


def intent_gain(
    ours: str,
    theirs: str,
    label: NDArray[Any],
    answers: Mapping[str, Answer | Sequence[Answer]],
    owner: NDArray[Any],
    figure: str = "ap",
    *,
    draws: int,
    rng: np.random.Generator,
) -> Gain:
    """What the model ``ours`` is worth over ``theirs``, both keys of ``answers``."""
    first, second = ([one.probability for one in _seeds(answers[name])] for name in (ours, theirs))
    interval = paired_metric_difference(figure, label, first, second, owner, draws=draws, rng=rng)
    return Gain(ours=ours, theirs=theirs, figure=figure, interval=interval)


def _seeds(answers: Answer | Sequence[Answer]) -> Sequence[Answer]:
    return [answers] if isinstance(answers, Answer) else answers


def _figure(values: Sequence[float]) -> Figure:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Figure(float(np.mean(values)), deviation=deviation)

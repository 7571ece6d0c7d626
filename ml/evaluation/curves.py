"""Points to draw: thinned, so that a report stays small."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import calibration_bins, hits_among
from ml.evaluation.records import Curve

POINTS = 200


def precision_recall_curve(model: str, label: NDArray[Any], score: NDArray[Any]) -> Curve:
    """Precision over recall as ever more pairs are said yes to."""
    count = _counts(len(label))
    hits = hits_among(label, score, count)
    return _curve("precision_recall", model, hits / max(int(label.sum()), 1), hits / count)


def gain_curve(model: str, label: NDArray[Any], score: NDArray[Any]) -> Curve:
    """Share of the positives found over the share of the pairs said yes to."""
    count = np.append(0, _counts(len(label)))
    hits = hits_among(label, score, count)
    return _curve("gain", model, count / max(len(label), 1), hits / max(int(label.sum()), 1))


def reliability_curve(
    model: str, label: NDArray[Any], probability: NDArray[Any], bins: int = 15
) -> Curve:
    """Share of positives over mean probability, in bins of equal mass."""
    _, said, true = calibration_bins(label, probability, bins)
    return _curve("reliability", model, said, true)


def learning_curve(model: str, values: Any) -> Curve:
    """A figure of validation after each epoch."""
    return _curve("learning", model, np.arange(1, len(values) + 1), np.asarray(values))


def _counts(n: int) -> NDArray[np.int64]:
    """From 1 to n, close together where few pairs decide."""
    steps = np.concatenate([np.geomspace(1, n, POINTS // 2), np.linspace(1, n, POINTS // 2 - 1)])
    return np.unique(steps.round()).astype(np.int64)


def _curve(kind: str, model: str, x: NDArray[Any], y: NDArray[Any]) -> Curve:
    return Curve(
        kind=kind,
        model=model,
        x=[round(float(value), 6) for value in x],
        y=[round(float(value), 6) for value in y],
    )

"""Pool A3: all positives and as many negatives, the only view that may stand beside the paper."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import best_threshold, summary
from ml.evaluation.records import Figure

GROUP = "pool A3, 1:1"
"""Name of the group of a study that holds its rows at 1:1."""

DRAWS = 20
FIGURES = ("f1", "auc", "precision", "recall", "ap", "base_rate")


def draw_balanced(label: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    """Sorted positions of all positives and of as many negatives, drawn uniformly."""
    positive, negative = np.flatnonzero(label), np.flatnonzero(~label.astype(bool))
    drawn = rng.choice(negative, min(len(positive), len(negative)), replace=False)
    return np.sort(np.concatenate([positive, drawn])).astype(np.int64)


def balanced_summary(
    validation: tuple[NDArray[Any], NDArray[Any]],
    test: tuple[NDArray[Any], NDArray[Any]],
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> dict[str, Figure]:
    """
    Figures at 1:1, their mean and deviation over draws of the negatives.

    Each draw takes its threshold from a draw of the validation pairs and is measured on one of
    the test pairs. Models that are compared should be given equal generators.

    Args:
        validation, test: labels and scores, (P,) each; any score that grows with the chance.
    """
    found = []
    for _ in range(draws):
        label, score = _at(validation, rng)
        threshold = best_threshold(label, score)
        label, score = _at(test, rng)
        found.append(summary(label, score, threshold))
    values = {name: np.array([one[name] for one in found]) for name in FIGURES}
    return {
        name: Figure(float(value.mean()), deviation=float(value.std(ddof=1)) if draws > 1 else None)
        for name, value in values.items()
    }


def _at(
    pairs: tuple[NDArray[Any], NDArray[Any]], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    label, score = pairs
    rows = draw_balanced(label, rng)
    return label[rows], score[rows]

"""Models side by side on the same pairs: calibrated, thresholded, measured, compared."""

import numpy as np
from numpy.typing import NDArray

from ml.calibration import Platt, fit_platt
from ml.config import PaperConfig
from ml.evaluation.bootstrap import paired_ap_difference
from ml.evaluation.metrics import best_threshold, summary
from ml.evaluation.pools import Pool

Comparison = dict[str, dict[str, dict[str, float]]]
"""Set, then model, then figure."""

Logits = dict[str, dict[str, NDArray[np.float64]]]


def compare(
    pools: dict[str, Pool], logits: Logits, config: PaperConfig, champion: str
) -> tuple[Comparison, dict[str, Platt]]:
    """
    Measure every model on ``validation`` and ``test``.

    Calibration and threshold come from the validation pairs alone. On the test set each other
    model gets the difference of the champion's average precision to its own, with a bootstrap
    over people.
    """
    validation, test = pools["validation"], pools["test"]
    found: Comparison = {"validation": {}, "test": {}}
    calibrations: dict[str, Platt] = {}
    for name, logit in logits["validation"].items():
        calibrations[name] = fit_platt(validation.label, logit)
        said = calibrations[name].apply(logit)
        threshold = best_threshold(validation.label, said)
        found["validation"][name] = summary(validation.label, said, threshold)
        asked = calibrations[name].apply(logits["test"][name])
        found["test"][name] = summary(test.label, asked, threshold)
    for name in found["test"]:
        if name != champion:
            found["test"][name].update(_difference(test, logits["test"], champion, name, config))
    return found, calibrations


def flat(found: Comparison) -> dict[str, float]:
    """One level of names, such as ``test_paper_ap``; figures that are not finite are left out."""
    figures: dict[str, float] = {}
    for part, models in found.items():
        for model, row in models.items():
            for name, value in row.items():
                shared = name in ("base_rate", "pairs", "positives")
                if np.isfinite(value):
                    figures[f"{part}_{name}" if shared else f"{part}_{model}_{name}"] = value
    return figures


def _difference(
    test: Pool,
    logits: dict[str, NDArray[np.float64]],
    champion: str,
    name: str,
    config: PaperConfig,
) -> dict[str, float]:
    interval = paired_ap_difference(
        test.label,
        logits[champion],
        logits[name],
        test.user,
        draws=config.bootstrap_draws,
        rng=np.random.default_rng(config.seed),
    )
    return {
        "ap_gain": interval.difference,
        "ap_gain_low": interval.low,
        "ap_gain_high": interval.high,
    }

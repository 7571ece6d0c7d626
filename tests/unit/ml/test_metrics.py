"""Metrics: by hand, against scikit-learn, and with ties."""

import numpy as np
import pytest
from sklearn import metrics as reference

from ml.evaluation.bootstrap import paired_ap_difference
from ml.evaluation.metrics import (
    average_precision,
    best_threshold,
    brier,
    calibration_error,
    f1,
    log_loss,
    roc_auc,
    summary,
)

LABEL = np.array([1, 0, 1, 0], bool)
SCORE = np.array([0.9, 0.8, 0.7, 0.1])


def test_hand_worked_example():
    assert average_precision(LABEL, SCORE) == pytest.approx((1 + 2 / 3) / 2)
    assert roc_auc(LABEL, SCORE) == pytest.approx(3 / 4)
    assert f1(LABEL, SCORE, 0.7) == pytest.approx(0.8)
    assert brier(LABEL, SCORE) == pytest.approx((0.01 + 0.64 + 0.09 + 0.01) / 4)


def test_constant_scores_earn_nothing():
    """Trap 8: AUC one half, average precision the base rate."""
    label = np.arange(100) % 5 == 0
    constant = np.full(100, 0.3)
    assert roc_auc(label, constant) == 0.5
    assert average_precision(label, constant) == pytest.approx(0.2)


@pytest.mark.parametrize("decimals", [1, 2, 8])
def test_an_independent_library_agrees_with_and_without_ties(decimals):
    rng = np.random.default_rng(decimals)
    label = rng.random(500) < 0.1
    score = np.round(rng.random(500) * 0.8 + label * 0.1, decimals)
    assert average_precision(label, score) == pytest.approx(
        reference.average_precision_score(label, score)
    )
    assert roc_auc(label, score) == pytest.approx(reference.roc_auc_score(label, score))
    assert log_loss(label, score) == pytest.approx(
        reference.log_loss(label, np.clip(score, 1e-7, 1 - 1e-7))
    )
    threshold = best_threshold(label, score)
    every = [reference.f1_score(label, score >= one) for one in np.unique(score)]
    assert f1(label, score, threshold) == pytest.approx(max(every))


def test_a_missing_class_gives_no_number_instead_of_a_wrong_one():
    assert np.isnan(average_precision(np.zeros(3, bool), np.arange(3.0)))
    assert np.isnan(roc_auc(np.ones(3, bool), np.arange(3.0)))


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        average_precision(LABEL, np.array([1, np.nan, 0, 0]))


def test_perfect_calibration_has_no_error():
    label = np.tile(np.arange(10) < 2, 30)
    assert calibration_error(label, np.full(300, 0.2)) == pytest.approx(0, abs=1e-9)
    assert calibration_error(label, np.full(300, 0.5)) == pytest.approx(0.3)


def test_the_base_rate_stands_in_every_row():
    row = summary(LABEL, SCORE, 0.5)
    assert row["base_rate"] == 0.5
    assert row["pairs"] == 4


def test_the_bootstrap_tells_a_real_gain_from_none():
    rng = np.random.default_rng(0)
    label = rng.random(4000) < 0.2
    user = np.repeat(np.arange(200), 20)
    good, noise = label + rng.normal(size=4000), rng.normal(size=4000)
    gain = paired_ap_difference(label, good, noise, user, draws=50, rng=rng)
    assert gain.is_significant
    assert gain.low < gain.difference < gain.high
    same = paired_ap_difference(label, noise, noise, user, draws=50, rng=rng)
    assert (same.difference, same.low, same.high) == (0, 0, 0)

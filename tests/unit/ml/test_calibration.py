"""Probabilities that mean what they say."""

import numpy as np
import pytest

from ml.calibration import Platt, fit_platt, sigmoid, undo_sampling
from ml.errors import NotEnoughData

RNG = np.random.default_rng(5)
LOGIT = RNG.normal(-3, 1.5, 40_000)
LABEL = RNG.random(40_000) < sigmoid(LOGIT)


def test_platt_finds_the_line_that_was_drawn():
    line = fit_platt(LABEL, (LOGIT - 0.7) / 2)
    assert line.slope == pytest.approx(2, abs=0.05)
    assert line.intercept == pytest.approx(0.7, abs=0.05)


def test_the_mean_probability_is_the_base_rate():
    """Correcting the prior twice would show here."""
    kept = LABEL | (RNG.random(len(LABEL)) < 0.25)
    trained = LOGIT - np.log(0.25)
    assert sigmoid(trained[kept]).mean() == pytest.approx(LABEL[kept].mean(), rel=0.05)
    once = undo_sampling(trained, 0.25)
    assert sigmoid(once).mean() == pytest.approx(LABEL.mean(), rel=0.05)
    assert fit_platt(LABEL, once).apply(once).mean() == pytest.approx(LABEL.mean(), rel=0.01)


def test_weights_stand_for_copies():
    weight = RNG.integers(1, 4, len(LABEL))
    copied = fit_platt(np.repeat(LABEL, weight), np.repeat(LOGIT, weight))
    weighted = fit_platt(LABEL, LOGIT, weight)
    assert weighted.slope == pytest.approx(copied.slope, abs=1e-6)
    assert weighted.intercept == pytest.approx(copied.intercept, abs=1e-6)


def test_separable_data_stay_finite_and_the_order_is_kept():
    label = np.array([0, 0, 1, 1], bool)
    good = fit_platt(label, np.array([-2.0, -1, 1, 2]))
    assert np.isfinite([good.slope, good.intercept]).all()
    bad = fit_platt(np.tile(~label, 100), np.tile(np.array([-2.0, -1, 1, 2]), 100))
    assert bad.slope > 0


@pytest.mark.parametrize("scale", [0.01, 0.5, 2, 3, 5, 10, 100])
def test_scores_that_are_far_too_sure_or_unsure_are_put_right(scale):
    """Newton's whole steps would leap to and fro over the minimum."""
    line = fit_platt(LABEL, scale * LOGIT + 1, strength=1e-6)
    assert line.slope * scale == pytest.approx(1, abs=0.03)
    assert line.apply(scale * LOGIT + 1).mean() == pytest.approx(LABEL.mean(), rel=1e-3)


def test_scores_that_run_the_wrong_way_say_the_base_rate():
    line = fit_platt(LABEL, -LOGIT)
    assert line.apply(-LOGIT) == pytest.approx(LABEL.mean(), rel=0.02)


def test_one_class_cannot_calibrate():
    with pytest.raises(NotEnoughData, match="positives 0"):
        fit_platt(np.zeros(9, bool), np.zeros(9))


def test_extreme_logits_do_not_overflow():
    assert Platt().apply(np.array([-1e6, 0, 1e6])).tolist() == [0, 0.5, 1]

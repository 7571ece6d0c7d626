"""Amounts that can hardly be true, by three rules."""

import numpy as np
import pytest

from ml.outliers import LEAST, outliers


def broken(*amounts: float, group: list[int] | None = None) -> dict[str, list[int]]:
    """Positions of the amounts that break a rule."""
    groups = np.asarray(group or [0] * len(amounts), np.int64)
    found = outliers(groups, np.asarray(amounts, np.float64))
    return {name: np.flatnonzero(mask).tolist() for name, mask in found.items()}


NOTHING: dict[str, list[int]] = {"three_sigma": [], "ten_means": [], "robust": []}
USUAL = [100.0, 95.0, 105.0, 99.0, 101.0, 98.0, 102.0, 100.0, 97.0, 103.0, 100.0, 96.0]


def test_a_price_in_the_wrong_unit_breaks_every_rule() -> None:
    """A hundred times too much is seen by each of them."""
    assert broken(*USUAL, 10_000.0) == {name: [12] for name in NOTHING}


def test_a_price_that_is_a_hundred_times_too_small_is_seen_by_the_robust_rule() -> None:
    """It hardly moves the mean, and ten times the mean looks upwards alone."""
    found = broken(*USUAL, 1.0)
    assert found["robust"] == [12]
    assert found["ten_means"] == []


def test_two_wrong_prices_do_not_hide_each_other_from_the_median() -> None:
    """They inflate mean and deviation, which the plain rules are built on."""
    found = broken(*USUAL[:6], 10_000.0, 12_000.0)
    assert found["robust"] == [6, 7]
    assert found["three_sigma"] == []


def test_usual_prices_and_a_third_off_are_no_errors() -> None:
    assert broken(*USUAL, 66.0) == NOTHING


def test_a_promotion_on_a_price_that_never_changes_is_no_error() -> None:
    """Without any spread everything would be infinitely far."""
    assert broken(*[100.0] * 30, 60.0) == NOTHING


def test_each_item_is_judged_by_its_own_prices() -> None:
    """A dear thing among cheap ones is no outlier of theirs."""
    amounts = [*USUAL, *(100 * one for one in USUAL)]
    assert broken(*amounts, group=[0] * 12 + [1] * 12) == NOTHING


@pytest.mark.parametrize("n", [0, 1, LEAST - 1])
def test_few_amounts_say_nothing(n: int) -> None:
    amounts = [100.0] * (n - 1) + [10_000.0] * min(n, 1)
    assert broken(*amounts) == NOTHING

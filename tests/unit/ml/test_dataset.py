"""The log as arrays."""

import numpy as np
import pytest

from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.errors import NotEnoughData


def build(**columns: object) -> Interactions:
    given = {"user": [0, 1, 0], "item": [0, 1, 1], "code": [2, 7, 7], "ts": [30, 10, 10]}
    return Interactions.of(
        **(given | columns),  # type: ignore[arg-type]
        user_ids=["c_a", "c_b"],
        catalogue=Catalogue.of(["x", "y"]),
    )


def test_events_are_sorted_by_time_and_ties_stay_in_order_of_arrival():
    assert build().user.tolist() == [1, 0, 0]
    assert build(seq=[1, 3, 2]).user.tolist() == [0, 1, 0]


def test_e3_a_price_that_is_none_is_unknown():
    assert np.isnan(build(price=[5, -1, np.nan]).price).tolist() == [True, True, False]
    assert np.isnan(build(price=[5, np.inf, -np.inf]).price).tolist() == [True, True, False]


def test_a_position_outside_its_ids_is_refused():
    with pytest.raises(ValueError, match="user"):
        build(user=[0, 2, 0])
    with pytest.raises(ValueError, match="item"):
        build(item=[0, -1, 0])


def test_before_and_between_leave_their_end_out():
    assert len(build().before(30)) == 2
    assert len(build().between(10, 11)) == 2
    assert len(build().between(11, 30)) == 0


def test_the_end_lies_just_behind_the_last_event_and_an_empty_log_has_none():
    assert build().end_ms == 31
    with pytest.raises(NotEnoughData) as caught:
        _ = build(user=[], item=[], code=[], ts=[]).end_ms
    assert caught.value.figures == {"events": 0}


def test_a_few_events_after_a_long_silence_do_not_move_the_shops_present():
    day = DAY_MS
    ts = [*range(0, 1000 * day, day // 2), 5000 * day, 5001 * day]
    rows = len(ts)
    log = build(user=[0] * rows, item=[0] * rows, code=[2] * rows, ts=ts)
    assert log.end_ms == 5001 * day + 1
    assert log.settled_end_ms == 1000 * day - day // 2 + 1
    assert build().settled_end_ms == build().end_ms


def test_many_events_after_a_long_silence_are_the_shops_present():
    ts = [*range(900), *range(5000 * DAY_MS, 5000 * DAY_MS + 100)]
    log = build(user=[0] * 1000, item=[0] * 1000, code=[2] * 1000, ts=ts)
    assert log.settled_end_ms == log.end_ms


def test_categories_are_numbered_and_empty_ones_are_unknown():
    catalogue = Catalogue.of(["x", "y", "z"], categories=["b", "", "a"], prices=[1, np.inf, -5])
    assert catalogue.category.tolist() == [1, -1, 0]
    assert catalogue.category_names == ["a", "b"]
    assert np.isnan(catalogue.price).tolist() == [False, True, True]
    assert Catalogue.of(["x"]).category.tolist() == [-1]

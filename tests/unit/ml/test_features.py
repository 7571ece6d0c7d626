"""The eight features, by hand and against leaks."""

from dataclasses import replace

import numpy as np
import pytest

from ml.behaviours import CART, PURCHASE
from ml.config import DAY_MS, PaperConfig
from ml.evaluation.pools import moment, window_before
from ml.features import FEATURES, PairFeatures, item_counters

START = 1_700_000_000_000
VIEW, UNCART = 2, 4
CUTOFF = START + 50 * DAY_MS


def ask(data, user, item, cutoff=CUTOFF, days=60):
    counters = item_counters(data, cutoff, days)
    features = PairFeatures(window_before(data, cutoff, days), counters, cutoff)
    row = features.of(np.array([user]), np.array([item]))[0]
    return dict(zip(FEATURES, row.tolist(), strict=True))


def test_activity_counts_the_last_thirty_days(events):
    data = events((0, 0, VIEW, 10, 1), (0, 0, VIEW, 30, 1), (0, 1, VIEW, 40, 1))
    assert ask(data, 0, 0)["activity_30d"] == pytest.approx(np.log1p(2))
    assert ask(data, 1, 0)["activity_30d"] == 0


def test_days_since_touch_falls_back_to_the_category_then_to_the_window(events):
    data = events((0, 0, VIEW, 40, 1), (0, 2, VIEW, 20, 1))
    assert ask(data, 0, 0)["days_since_touch"] == pytest.approx(np.log1p(10))
    assert ask(data, 0, 1)["days_since_touch"] == pytest.approx(np.log1p(10))
    assert ask(data, 0, 3)["days_since_touch"] == pytest.approx(np.log1p(60))
    assert ask(data, 1, 0)["days_since_touch"] == pytest.approx(np.log1p(60))


def test_decayed_touches_weigh_behaviours_and_may_be_negative(events):
    data = events((0, 0, PURCHASE, 43, 1), (0, 1, UNCART, 50 - 1e-6, 1))
    assert ask(data, 0, 0)["decayed_touches"] == pytest.approx(np.log1p(6 / np.e))
    assert ask(data, 0, 1)["decayed_touches"] == pytest.approx(-np.log1p(3), rel=1e-4)
    assert ask(data, 0, 2)["decayed_touches"] == 0


def test_category_share_counts_the_persons_events(events):
    data = events((0, 0, VIEW, 40, 1), (0, 1, VIEW, 41, 1), (0, 2, VIEW, 42, 1), (0, 3, 2, 43, 1))
    assert ask(data, 0, 0)["category_share"] == pytest.approx(0.5)
    assert ask(data, 0, 3)["category_share"] == 0


def test_cart_to_buy_needs_the_purchase_after_the_cart_and_shrinks_to_the_shop(events):
    data = events(
        (0, 0, CART, 40, 1), (0, 0, PURCHASE, 41, 1), (1, 0, PURCHASE, 40, 1), (1, 0, CART, 41, 1)
    )
    shop = 0.5
    assert ask(data, 0, 0)["cart_to_buy"] == pytest.approx((1 + 5 * shop) / 6)
    assert ask(data, 1, 0)["cart_to_buy"] == pytest.approx((0 + 5 * shop) / 6)
    assert ask(data, 2, 0)["cart_to_buy"] == pytest.approx(shop)


def test_item_conversion_counts_people_not_events(events):
    data = events(
        (0, 0, VIEW, 40, 1), (0, 0, VIEW, 41, 1), (0, 0, PURCHASE, 42, 1), (1, 0, 2, 43, 1)
    )
    shop = 0.5
    assert ask(data, 0, 0)["item_conversion"] == pytest.approx((1 + 5 * shop) / 7)
    assert ask(data, 0, 2)["item_conversion"] == pytest.approx(shop)


def test_price_ratio_compares_with_what_the_person_looked_at(events):
    data = events((0, 0, VIEW, 40, 100), (0, 1, VIEW, 41, 300), (1, 2, VIEW, 42, 400))
    assert ask(data, 0, 2)["price_ratio"] == pytest.approx(np.log(2))
    assert ask(data, 2, 2)["price_ratio"] == 0
    assert ask(data, 0, 3)["price_ratio"] == 0


def test_popularity_slope_compares_two_weeks(events):
    data = events((0, 0, VIEW, 45, 1), (1, 0, VIEW, 46, 1), (2, 0, VIEW, 40, 1))
    assert ask(data, 0, 0)["popularity_slope"] == pytest.approx(np.log(3 / 2))
    assert ask(data, 0, 2)["popularity_slope"] == 0


def test_features_are_bit_for_bit_the_same_when_later_events_are_deleted(world):
    """Trap 1: counters, rates and conversions see nothing at or after the cutoff."""
    cutoff, config = int(world.ts[len(world) // 2]), PaperConfig()
    full, cut = (moment(data, cutoff, config) for data in (world, world.before(cutoff)))
    assert np.array_equal(full.touched, cut.touched)
    pairs = np.arange(world.n_users * world.n_items)
    user, item = pairs // world.n_items, pairs % world.n_items
    assert full.features.of(user, item).tobytes() == cut.features.of(user, item).tobytes()
    for name in ("price", "conversion", "slope", "week", "popularity"):
        assert getattr(full.counters, name).tobytes() == getattr(cut.counters, name).tobytes()


def test_features_are_finite_without_any_history(events):
    assert np.isfinite(list(ask(events(), 0, 0).values())).all()


def test_one_person_alone_has_the_same_features_as_in_the_crowd(world):
    """Training asks for everybody at once, serving for one person; the numbers are equal."""
    cutoff = world.end_ms
    counters = item_counters(world, cutoff, 60)
    crowd = PairFeatures(window_before(world, cutoff, 60), counters, cutoff)
    window = window_before(world, cutoff, 60)
    own = window.user == 5
    alone = PairFeatures(
        type(window)(
            np.zeros(own.sum(), np.int32),
            window.item[own],
            window.code[own],
            window.ts[own],
            window.price[own],
            1,
            window.category,
            60,
        ),
        counters,
        cutoff,
    )
    items = np.arange(world.n_items)
    five, first = np.full(len(items), 5), np.zeros(len(items), int)
    assert np.array_equal(crowd.of(five, items), alone.of(first, items))


@pytest.mark.parametrize("days", [1, 60])
def test_all_or_some_items_at_once_have_the_same_features_bit_for_bit(world, days):
    """For whoever has touched much, little or nothing; so has what is touched."""
    cutoff = world.end_ms - 5 * DAY_MS
    counters = item_counters(world, cutoff, days)
    every = np.arange(world.n_items)
    for person in (0, 7, 31, -1):
        mine = window_before(world, cutoff, days)
        own = np.flatnonzero(mine.user == person)
        alone = replace(
            mine,
            user=np.zeros(len(own), np.int32),
            **{name: getattr(mine, name)[own] for name in ("item", "code", "ts", "price")},
            n_users=1,
        )
        features = PairFeatures(alone, counters, cutoff)
        nobody = np.zeros(len(every), np.int64)
        whole = features.of(nobody, every)
        for rows in (slice(None), every, every[::3], every[:0]):
            assert np.array_equal(features.of_items(rows), whole[rows])
            at, spot = features.touched_among(rows)
            touched = np.unique(mine.item[own])
            assert every[rows][at].tolist() == [one for one in touched if one in every[rows]]
            assert np.array_equal(touched[spot], every[rows][at])


def test_other_counters_of_the_items_give_what_they_would_have_given_from_the_start(world):
    """Two moments of one shop; what does not depend on the items is not asked again."""
    cutoff = world.end_ms
    window = window_before(world, cutoff, 60)
    then, now = (item_counters(world, end, 60) for end in (cutoff - 20 * DAY_MS, cutoff))
    user, item = window.user.astype(np.int64), window.item.astype(np.int64)
    features = PairFeatures(window, now, cutoff)
    found = features.by(then, features.of(user, item), user, item)
    assert np.array_equal(found, PairFeatures(window, then, cutoff).of(user, item))
    assert not np.array_equal(found, features.of(user, item))

"""The counters, by hand, against leaks, and one person's against everybody's."""

import io
from dataclasses import replace

import numpy as np
import pytest

from ml.behaviours import CART, PURCHASE
from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.features import FEATURES
from ml.features.pairs import Window
from ml.intent.counters import COUNTERS, counter_table, pair_columns
from ml.intent.item_side import ITEM_COLUMNS, ItemSide, item_side
from ml.intent.tallies import Ages, Tally

START = 1_700_000_000_000
CUTOFF = START + 50 * DAY_MS
VIEW, UNCART, FAVOURITE = 2, 4, 5


def shop(n=4000, people=30, items=20, *, categories=True, seed=0):
    """A busy log of 80 days with prices, and purchases now and then."""
    rng = np.random.default_rng(seed)
    item = rng.integers(0, items, n)
    names = [f"c{row % 4}" if row % 7 else "" for row in range(items)] if categories else None
    return Interactions.of(
        user=rng.integers(0, people, n),
        item=item,
        code=rng.choice(
            [VIEW, CART, UNCART, FAVOURITE, PURCHASE], n, p=[0.7, 0.1, 0.02, 0.08, 0.1]
        ),
        ts=START + rng.integers(0, 80 * DAY_MS, n),
        price=100.0 + item,
        user_ids=[f"c_{row}" for row in range(people)],
        catalogue=Catalogue.of([f"item-{row}" for row in range(items)], categories=names),
    )


def row(data, user, item, **given):
    """The counters of one pair, counts as plain numbers."""
    pair = np.array([user * data.n_items + item])
    table = counter_table(data, CUTOFF, pairs=pair, **given)
    return dict(zip(table.names, table.values[0].astype(float), strict=True))


def test_all_touched_pairs_are_asked_about_with_their_labels(events):
    data = events(
        (0, 0, VIEW, 40, 1), (1, 1, VIEW, 49, 1), (0, 0, PURCHASE, 52, 1), (2, 2, VIEW, 50, 1)
    )
    table = counter_table(data, CUTOFF, horizon_days=7)
    assert list(zip(table.user.tolist(), table.item.tolist(), strict=True)) == [(0, 0), (1, 1)]
    assert table.label.tolist() == [True, False]
    assert table.names == COUNTERS
    assert table.values.shape == (2, len(COUNTERS))


def test_the_label_window_ends_with_the_horizon(events):
    data = events((0, 0, VIEW, 40, 1), (0, 0, PURCHASE, 57, 1))
    assert not counter_table(data, CUTOFF, horizon_days=7).label.any()
    assert counter_table(data, CUTOFF, horizon_days=8).label.all()
    assert not counter_table(data, CUTOFF).label.any()


def test_touches_outside_the_window_do_not_count(events):
    data = events((0, 0, VIEW, 29, 1), (0, 1, VIEW, 31, 1))
    table = counter_table(data, CUTOFF, window_days=20)
    assert table.item.tolist() == [1]
    assert row(data, 0, 0, window_days=20)["pair_look_all"] == 0


def test_counts_by_kind_and_span(events):
    data = events(
        (0, 0, VIEW, 48, 1), (0, 0, VIEW, 40, 1), (0, 0, CART, 48, 1), (0, 0, PURCHASE, 30, 1),
        (0, 0, UNCART, 48.5, 1), (0, 0, FAVOURITE, 45, 1),
    )  # fmt: skip
    found = {name: np.expm1(value) for name, value in row(data, 0, 0).items()}
    assert found["pair_look_1d"] == 0
    assert found["pair_look_3d"] == pytest.approx(1)
    assert found["pair_look_14d"] == pytest.approx(2)
    assert found["pair_cart_3d"] == pytest.approx(1)
    assert found["pair_buy_7d"] == 0
    assert found["pair_buy_30d"] == pytest.approx(1)
    assert found["pair_back_all"] == pytest.approx(1)
    assert found["pair_favourite_7d"] == pytest.approx(1)
    assert found["pair_days"] == pytest.approx(4)
    assert found["pair_buy_days"] == pytest.approx(1)


def test_recency_by_kind_is_nan_where_it_never_happened(events):
    found = row(events((0, 0, VIEW, 40, 1), (0, 0, PURCHASE, 45, 1)), 0, 0)
    assert np.expm1(found["pair_since_look"]) == pytest.approx(10)
    assert np.expm1(found["pair_since_buy"]) == pytest.approx(5)
    assert np.expm1(found["pair_since_first"]) == pytest.approx(10)
    assert np.isnan(found["pair_since_cart"])


def test_gap_ratio_compares_the_silence_with_the_usual_gap(events):
    data = events((0, 0, VIEW, 20, 1), (0, 0, VIEW, 30, 1), (0, 0, VIEW, 40, 1), (0, 1, 2, 40, 1))
    assert np.expm1(row(data, 0, 0)["pair_gap_ratio"]) == pytest.approx(1)
    assert np.isnan(row(data, 0, 1)["pair_gap_ratio"])
    assert np.isnan(row(data, 0, 0)["pair_buy_gap_ratio"])


def test_share_and_rank_compare_with_the_persons_other_items(events):
    data = events(
        (0, 0, VIEW, 48, 1), (0, 0, VIEW, 48, 1), (0, 1, VIEW, 49, 1), (0, 2, VIEW, 20, 1)
    )
    assert row(data, 0, 0)["pair_share_all"] == pytest.approx(0.5)
    assert row(data, 0, 0)["pair_share_7d"] == pytest.approx(2 / 3)
    assert [np.expm1(row(data, 0, item)["pair_rank"]) for item in (1, 0, 2)] == pytest.approx(
        [0, 1, 2]
    )


def test_items_touched_at_the_same_time_share_a_rank(events):
    data = events((0, 0, VIEW, 48, 1), (0, 1, VIEW, 48, 1), (0, 2, VIEW, 20, 1), (1, 0, 2, 49, 1))
    ranks = [np.expm1(row(data, 0, item)["pair_rank"]) for item in (0, 1, 2)]
    assert ranks == pytest.approx([0, 0, 2])


def test_category_counts_need_a_category(events):
    data = events((0, 0, VIEW, 48, 1), (0, 1, PURCHASE, 40, 1), (0, 3, VIEW, 40, 1))
    found = row(data, 0, 0)
    assert np.expm1(found["category_look_7d"]) == pytest.approx(1)
    assert np.expm1(found["category_buy_30d"]) == pytest.approx(1)
    assert np.expm1(found["category_since_touch"]) == pytest.approx(2)
    assert np.isnan(row(data, 0, 3)["category_look_7d"])
    assert np.isnan(row(shop(categories=False), 0, 0)["category_look_all"])


def test_rates_of_the_person_shrink_to_those_of_the_shop(events):
    data = events((0, 0, VIEW, 40, 1), (0, 0, PURCHASE, 41, 1), (1, 0, VIEW, 40, 1))
    assert row(data, 0, 0)["person_conversion"] == pytest.approx((1 + 5 * 0.5) / 6)
    assert row(data, 2, 0)["person_conversion"] == pytest.approx(0.5)


def test_repeat_rate_counts_days_not_events(events):
    once = events((0, 0, PURCHASE, 40.1, 1), (0, 0, PURCHASE, 40.3, 1), (1, 1, PURCHASE, 40, 1))
    assert item_side(once, CUTOFF, 60).repeat == 0
    twice = events((0, 0, PURCHASE, 40, 1), (0, 0, PURCHASE, 45, 1), (1, 1, PURCHASE, 40, 1))
    assert item_side(twice, CUTOFF, 60).repeat == pytest.approx(0.5)
    assert row(twice, 0, 0)["item_repeat"] == pytest.approx((1 + 5 * 0.5) / 6)


def test_events_from_the_cutoff_on_change_nothing():
    data = shop()
    all_known = counter_table(data, CUTOFF)
    only_past = counter_table(data.before(CUTOFF), CUTOFF)
    assert np.array_equal(all_known.values, only_past.values, equal_nan=True)


def test_the_order_of_events_at_one_time_changes_no_count():
    data = shop()
    day = replace(data, ts=data.ts - (data.ts - START) % DAY_MS)
    order = np.lexsort((np.random.default_rng(1).random(len(day)), day.ts))
    mixed = Interactions.of(
        user=day.user[order],
        item=day.item[order],
        code=day.code[order],
        ts=day.ts[order],
        price=day.price[order],
        user_ids=day.user_ids,
        catalogue=day.catalogue,
    )
    kept = [k for k, name in enumerate(COUNTERS) if name != "cart_to_buy"]
    first, second = counter_table(day, CUTOFF), counter_table(mixed, CUTOFF)
    assert np.allclose(first.values[:, kept], second.values[:, kept], equal_nan=True)


def test_one_persons_events_and_stored_items_give_the_rows_of_training():
    data = shop()
    table = counter_table(data, CUTOFF)
    buffer = io.BytesIO()
    np.savez(buffer, **item_side(data, CUTOFF, 60).arrays())
    buffer.seek(0)
    side = ItemSide.from_arrays(np.load(buffer))
    past = data.between(CUTOFF - 60 * DAY_MS, CUTOFF)
    for person in (0, 7, 29):
        own = np.flatnonzero(past.user == person)
        alone = Window(
            np.zeros(len(own), np.int64),
            past.item[own],
            past.code[own],
            past.ts[own],
            past.price[own],
            1,
            data.catalogue.category,
            60,
        )
        rows = table.user == person
        asked = pair_columns(alone, side, np.zeros(rows.sum(), np.int64), table.item[rows])
        assert np.array_equal(asked, table.values[rows], equal_nan=True)


def test_stored_items_are_finite():
    assert all(
        np.isfinite(array).all() for array in item_side(shop(60), CUTOFF, 60).arrays().values()
    )


def test_a_person_without_events_and_an_untouched_item_have_an_answer():
    data = shop(300)
    side = item_side(data, CUTOFF, 60)
    nothing = Window(
        *(np.zeros(0, kind) for kind in (np.int32, np.int32, np.int8, np.int64, np.float32)),
        n_users=1,
        category=data.catalogue.category,
        days=60,
    )
    found = pair_columns(nothing, side, np.zeros(5, np.int64), np.arange(5))
    assert found.shape == (5, len(COUNTERS))
    assert not np.isinf(found).any()
    of_items = found[:, [COUNTERS.index(name) for name in ITEM_COLUMNS]]
    assert np.array_equal(of_items, side.columns[:5], equal_nan=True)


def test_a_later_moment_ages_the_person_but_not_the_items():
    data = shop()
    side = item_side(data, CUTOFF, 60)
    past = data.between(CUTOFF - 60 * DAY_MS, CUTOFF)
    window = Window(
        past.user, past.item, past.code, past.ts, past.price, 30, data.catalogue.category, 60
    )
    user, item = np.zeros(3, np.int64), np.arange(3)
    now, later = (
        pair_columns(window, side, user, item, moment=CUTOFF + days * DAY_MS) for days in (0, 2)
    )
    since = COUNTERS.index("person_since_touch")
    assert np.expm1(later[0, since]) == pytest.approx(np.expm1(now[0, since]) + 2, rel=1e-4)
    assert np.array_equal(
        later[:, -len(ITEM_COLUMNS) :], now[:, -len(ITEM_COLUMNS) :], equal_nan=True
    )


def test_the_eight_features_come_first():
    assert COUNTERS[: len(FEATURES)] == FEATURES
    assert len(set(COUNTERS)) == len(COUNTERS)


def test_groupings_side_by_side_say_what_each_says_alone():
    """Also one with groups of which nothing is known, and one that leaves events out."""
    data = shop(300, people=5)
    ages = Ages.of(data.code, data.ts, CUTOFF, 60)
    every, some = np.arange(300), np.flatnonzero(data.item % 2)
    groupings = [(data.user, 5, every), (data.item[some], 40, some), (data.user[:0], 2, every[:0])]
    for (group, n, rows), found in zip(groupings, Tally.side_by_side(groupings, ages), strict=True):
        alone = Tally.of(group, n, ages.take(rows))
        for name in ("counts", "newest", "oldest", "days", "buy_days", "buy_gap"):
            assert np.array_equal(getattr(found, name), getattr(alone, name), equal_nan=True), name

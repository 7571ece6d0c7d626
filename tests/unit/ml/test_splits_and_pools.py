"""Where the past ends, and which pairs are asked about."""

import numpy as np
import pytest

from ml.behaviours import PURCHASE
from ml.config import DAY_MS, PaperConfig
from ml.dataset import Interactions
from ml.errors import NotEnoughData
from ml.evaluation.pools import Pool, moment, touched_pool, training_pool
from ml.evaluation.splits import cutoffs, time_split


def test_the_split_is_by_event_count_over_one_time_line(world):
    split = time_split(world)
    assert world.position(split.train_end_ms) == pytest.approx(0.7 * len(world), abs=3)
    assert world.position(split.validation_end_ms) == pytest.approx(0.9 * len(world), abs=3)
    assert split.end_ms == world.end_ms


def test_label_windows_never_cross_a_border(world, small):
    """Trap 3: the end of every label window is at most the next part's first cutoff."""
    split = time_split(world)
    at = cutoffs(split, small)
    horizon = small.horizon_days * DAY_MS
    assert max(at.train) + horizon <= split.train_end_ms <= min(at.validation)
    assert max(at.validation) + horizon <= split.validation_end_ms <= min(at.test)
    assert max(at.test) + horizon <= split.end_ms


def test_parts_shorter_than_the_label_window_are_refused_with_numbers(world):
    with pytest.raises(NotEnoughData, match=r"training part.*needed_days 40") as caught:
        cutoffs(time_split(world), PaperConfig(horizon_days=40))
    assert caught.value.figures["needed_days"] == 40


def test_a_shop_that_has_grown_overnight_has_parts_that_a_label_fits_into(world, small):
    """Nine of ten events of the last night; the parts before it are of the quiet time."""
    night = np.random.default_rng(1).integers(world.end_ms, world.end_ms + DAY_MS, 9 * len(world))
    old = world.before(world.end_ms)
    again = np.random.default_rng(2).integers(0, len(old), len(night))
    grown = Interactions.of(
        user=np.append(old.user, old.user[again]),
        item=np.append(old.item, old.item[again]),
        code=np.append(old.code, old.code[again]),
        ts=np.append(old.ts, night),
        user_ids=old.user_ids,
        catalogue=old.catalogue,
    )
    label_ms = small.horizon_days * DAY_MS
    with pytest.raises(NotEnoughData, match="validation part"):
        cutoffs(time_split(grown), small)
    split = time_split(grown, label_ms=label_ms)
    at = cutoffs(split, small)
    assert max(at.train) + label_ms <= split.train_end_ms <= min(at.validation)
    assert max(at.validation) + label_ms <= split.validation_end_ms <= min(at.test)
    assert max(at.test) + label_ms <= split.end_ms == grown.end_ms


def test_parts_that_are_long_enough_are_cut_as_they_were(world, small):
    assert time_split(world, label_ms=small.horizon_days * DAY_MS) == time_split(world)


def test_too_few_events_cannot_be_split(events):
    with pytest.raises(NotEnoughData, match="needed 10"):
        time_split(events((0, 0, 2, 1, 1)))


def test_the_touched_pool_is_every_pair_of_the_window_with_its_true_label(world, small):
    cutoff = cutoffs(time_split(world), small).test[0]
    pool = touched_pool(moment(world, cutoff, small))
    window = world.between(cutoff - small.window_days * DAY_MS, cutoff)
    assert set(zip(pool.user.tolist(), pool.item.tolist(), strict=True)) == set(
        zip(window.user.tolist(), window.item.tolist(), strict=True)
    )
    after = world.between(cutoff, cutoff + small.horizon_days * DAY_MS)
    buys = after.code == PURCHASE
    bought = set(zip(after.user[buys].tolist(), after.item[buys].tolist(), strict=True))
    wanted = [pair in bought for pair in zip(pool.user.tolist(), pool.item.tolist(), strict=True)]
    assert pool.label.tolist() == wanted
    assert pool.touched.all()
    assert (pool.weight == 1).all()


def test_training_keeps_positives_and_weights_stand_for_the_whole(world, small):
    at = moment(world, cutoffs(time_split(world), small).train[-1], small)
    full = touched_pool(at)
    drawn = training_pool(at, small, np.random.default_rng(1))
    own = drawn.take(drawn.touched)
    assert own.label.sum() == full.label.sum()
    assert own.weight.sum() == pytest.approx(len(full), rel=0.15)
    assert not np.isin(drawn.item[~drawn.touched], -1).any()
    keys = drawn.user.astype(int) * world.n_items + drawn.item
    assert (np.diff(keys) > 0).all()


def test_joined_pools_keep_their_order(world, small):
    at = [moment(world, cutoff, small) for cutoff in cutoffs(time_split(world), small).test]
    parts = [touched_pool(one) for one in at]
    joined = Pool.join(parts)
    assert len(joined) == sum(map(len, parts))
    assert np.array_equal(joined.take(joined.cutoff == at[0].cutoff).item, parts[0].item)

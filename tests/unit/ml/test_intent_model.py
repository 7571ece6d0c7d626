"""Columns of repeat purchases: from the past alone, and good enough to see a rhythm."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.behaviours import PURCHASE
from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.errors import ModelBroken, NotEnoughData
from ml.evaluation.metrics import roc_auc
from ml.intent.columns import GROUPS, SUB, IntentColumns
from ml.intent.fit_stack import StackSettings
from ml.intent.history import History, IntentConfig
from ml.intent.model import IntentModel
from ml.intent.moment import Moment
from ml.intent.promotions import Promotions
from ml.intent.receipts import Receipts
from ml.intent.trees import TreeSettings

VIEW = 2
START = 1_700_000_000_000
WEEK = 7 * DAY_MS
PEOPLE, ITEMS, WEEKS = 60, 24, 20
CONFIG = IntentConfig(window=12, training=6, warm_up=4, negative_share=0.5)
QUICK = StackSettings(networks=1, tree=TreeSettings(rounds=30, leaf_rows=20), least_steps=300)


def rhythm(seed: int = 0) -> Interactions:
    """Person u buys item i every 2 to 5 weeks, one item in three; the others at random, rarely."""
    rng = np.random.default_rng(seed)
    user, item, week = np.meshgrid(np.arange(PEOPLE), np.arange(ITEMS), np.arange(WEEKS))
    user, item, week = user.ravel(), item.ravel(), week.ravel()
    loved = (user + item) % 3 == 0
    due = loved & ((week + user + item) % (2 + (user + item) % 4) == 0)
    rows = np.flatnonzero((due & (rng.random(len(due)) < 0.9)) | (rng.random(len(due)) < 0.01))
    day = user[rows] % 7 * DAY_MS + rng.integers(0, DAY_MS // 2, len(rows))
    return Interactions.of(
        user=user[rows],
        item=item[rows],
        code=np.full(len(rows), PURCHASE),
        ts=START + week[rows] * WEEK + day,
        price=100.0 + item[rows],
        user_ids=[f"u{k}" for k in range(PEOPLE)],
        catalogue=Catalogue.of(
            [f"i{k}" for k in range(ITEMS)],
            categories=[f"food > group {k % 3} > sort {k % 6}" for k in range(ITEMS)],
        ),
    )


def offers() -> Promotions:
    """One item in four is on the leaflet every other week."""
    item, week = np.meshgrid(np.arange(0, ITEMS, 4), np.arange(0, WEEKS + 1, 2))
    start = START + week.ravel() * WEEK
    return Promotions.of(item=item.ravel(), start=start, end=start + WEEK)


def receipts(data: Interactions) -> Receipts:
    """Two stores, some discounts."""
    n = len(data)
    rng = np.random.default_rng(5)
    return Receipts(
        store=(data.user % 2).astype(np.int32),
        discount=rng.random(n).astype(np.float32) / 4,
        quantity=rng.integers(1, 4, n).astype(np.float32),
    )


@pytest.fixture(scope="module")
def shop() -> Interactions:
    """The rhythm."""
    return rhythm()


@pytest.fixture(scope="module")
def model(shop: Interactions) -> IntentModel:
    """Fitted on all but the last two weeks."""
    past = shop.before(START + (WEEKS - 2) * WEEK)
    return IntentModel.fit(past, promotions=offers(), config=CONFIG, settings=QUICK)


def walked(data: Interactions, side: Receipts, cutoff: int, **how: object) -> IntentColumns:
    """Columns of a history that has been walked through up to a cutoff."""
    history = History.of(data, cutoff, CONFIG, promotions=offers(), receipts=side)
    columns = IntentColumns(history, **how)  # type: ignore[arg-type]
    for period in range(6, history.period_of(cutoff)):
        columns.walk(period)
    return columns


def test_without_the_future_every_column_is_the_same_bit_by_bit(shop: Interactions) -> None:
    cutoff = START + 14 * WEEK
    side, before = receipts(shop), shop.before(cutoff)
    whole = walked(shop, side, cutoff)
    cut = walked(before, side.take(slice(0, len(before))), cutoff)
    table = whole.table(whole.history.period_of(cutoff))
    again = cut.table(cut.history.period_of(cutoff))
    assert table.names == again.names
    np.testing.assert_array_equal(table.user, again.user)
    np.testing.assert_array_equal(table.values, again.values)
    assert table.label.any()
    assert not again.label.any()


def test_the_pool_is_every_pair_touched_in_the_window(shop: Interactions) -> None:
    cutoff = START + 15 * WEEK
    history = History.of(shop, cutoff, CONFIG)
    at = Moment(history, history.period_of(cutoff))
    expected = np.unique(shop.between(cutoff - 12 * WEEK, cutoff).pair)
    np.testing.assert_array_equal(at.pairs, expected)
    after = np.unique(shop.between(cutoff, cutoff + WEEK).pair)
    np.testing.assert_array_equal(at.label, np.isin(expected, after))


def test_silences_are_those_of_the_log(shop: Interactions) -> None:
    cutoff = START + 15 * WEEK
    columns = walked(shop, receipts(shop), cutoff)
    table = columns.table(columns.history.period_of(cutoff))
    row = int(np.argmax(table.column("days")))
    mine = shop.between(cutoff - 12 * WEEK, cutoff)
    mine_ts = mine.ts[(mine.user == table.user[row]) & (mine.item == table.item[row])]
    days = np.unique((mine_ts - columns.history.start) // DAY_MS)
    now = (cutoff - columns.history.start) // DAY_MS
    assert table.column("days")[row] == len(days)
    assert table.column("elapsed")[row] == now - days[-1]
    assert table.column("gap_mean")[row] == pytest.approx(np.diff(days).mean())
    assert table.column("gap_longest")[row] == np.diff(days).max()
    assert table.column("gap_latest")[row] == days[-1] - days[-2]
    assert table.column("gap_variation")[row] == pytest.approx(
        np.diff(days).std() / np.diff(days).mean(), abs=1e-5
    )


def test_pairs_that_were_never_bought_have_no_silence_but_an_answer(shop: Interactions) -> None:
    cutoff = START + 15 * WEEK
    columns = walked(shop, receipts(shop), cutoff)
    period = columns.history.period_of(cutoff)
    bought = np.unique(shop.before(cutoff).pair)
    new = np.setdiff1d(np.arange(PEOPLE * ITEMS), bought)[:50]
    table = columns.table(period, new)
    assert np.isnan(table.column("elapsed")).all()
    assert (table.column("days") == 0).all()
    assert np.isfinite(table.column("hazard")).all()


def test_promotions_of_the_week_itself_are_seen(shop: Interactions) -> None:
    for week, share in ((14, 1.0), (15, 0.0)):
        columns = walked(shop, receipts(shop), START + week * WEEK)
        table = columns.table(columns.history.period_of(START + week * WEEK))
        advertised = table.item % 4 == 0
        assert (table.column("leaflet")[advertised] > 0).mean() == share
        assert not table.column("leaflet")[~advertised].any()


def test_a_group_that_is_switched_off_takes_its_columns_along(shop: Interactions) -> None:
    cutoff = START + 14 * WEEK
    columns = walked(shop, receipts(shop), cutoff, groups=("timing", "need"))
    table = columns.table(columns.history.period_of(cutoff))
    assert set(columns.members) == {"timing", "need"}
    assert table.names == tuple(n for names in columns.members.values() for n in names)
    assert set(GROUPS) | {SUB} > set(columns.members)


def test_thinned_tables_stand_for_the_whole(shop: Interactions) -> None:
    cutoff = START + 14 * WEEK
    columns = walked(shop, receipts(shop), cutoff, groups=("timing",))
    period = columns.history.period_of(cutoff)
    whole, thin = columns.table(period), columns.table(period, rng=np.random.default_rng(1))
    assert thin.label.sum() == whole.label.sum()
    assert len(thin) < len(whole)
    assert thin.weight.sum() == pytest.approx(len(whole), rel=0.1)


def test_a_kept_pair_has_the_columns_that_it_has_in_the_whole(shop: Interactions) -> None:
    cutoff = START + 14 * WEEK
    columns = walked(shop, receipts(shop), cutoff)
    period = columns.history.period_of(cutoff)
    whole, thin = columns.table(period), columns.table(period, rng=np.random.default_rng(1))
    rows = np.searchsorted(whole.user * ITEMS + whole.item, thin.user * ITEMS + thin.item)
    assert whole.names == thin.names
    np.testing.assert_array_equal(whole.values[rows], thin.values)


def test_the_model_knows_who_is_due(model: IntentModel, shop: Interactions) -> None:
    cutoff = START + (WEEKS - 1) * WEEK
    table = model.table_at(shop, cutoff, promotions=offers())
    bought = np.unique(shop.between(cutoff, cutoff + WEEK).pair)
    label = np.isin(table.user.astype(np.int64) * ITEMS + table.item, bought)
    logits = model.logits(table)
    assert not table.label.any()
    assert roc_auc(label, logits) > 0.85
    assert 1 / (1 + np.exp(-logits)).mean() > 0


def test_saved_and_loaded_it_says_the_same(
    model: IntentModel, shop: Interactions, tmp_path: Path
) -> None:
    cutoff = START + (WEEKS - 1) * WEEK
    model.save(tmp_path)
    loaded = IntentModel.load(tmp_path)
    for one in (None, np.array([1, 5, 700], np.int64)):
        table = loaded.table_at(shop, cutoff, one, promotions=offers())
        again = model.table_at(shop, cutoff, one, promotions=offers())
        np.testing.assert_array_equal(table.values, again.values)
        np.testing.assert_allclose(loaded.logits(table), model.logits(again), atol=1e-9)


def test_views_make_pairs_too() -> None:
    shop = rhythm(1)
    half = shop.user % 2 == 0
    code = np.where(half, VIEW, PURCHASE).astype(np.int8)
    mixed = replace(shop, code=code)
    fitted = IntentModel.fit(mixed, config=CONFIG, settings=replace(QUICK, networks=0))
    table = fitted.table_at(mixed, mixed.end_ms)
    assert np.isnan(table.column("elapsed")[table.user % 2 == 0]).all()
    assert np.isfinite(fitted.logits(table)).all()


def test_too_short_a_log_is_refused(shop: Interactions) -> None:
    with pytest.raises(NotEnoughData, match="periods"):
        IntentModel.fit(shop.before(START + 3 * WEEK), config=CONFIG)


def test_a_broken_folder_is_named_as_such(model: IntentModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    (tmp_path / "intent.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelBroken):
        IntentModel.load(tmp_path)


def test_a_cutoff_that_starts_no_period_is_refused(shop: Interactions) -> None:
    history = History.of(shop, START + 10 * WEEK, CONFIG)
    with pytest.raises(ValueError, match="no period"):
        history.period_of(START + 10 * WEEK + 1)

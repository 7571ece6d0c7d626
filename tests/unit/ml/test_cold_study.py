"""The study of strangers on a made-up shop, and how its data are read."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from ml.cold.anil import AnilConfig
from ml.cold.cases import before
from ml.config import DAY_MS
from ml.fusion.config import FusionConfig
from ml.ranking.sequences import Sequences
from ml.studies import Plan
from ml.studies.cold import COUNTS, FIGURES, _fold, _goals, _study
from ml.studies.cold_data import Shop, _bands, by_category, taobao
from ml.studies.cold_settings import Setting

ITEMS, PEOPLE, EVENTS = 40, 150, 24


def shop():
    """Everybody has one of four tastes of ten items and takes one a day, for 24 days."""
    rng = np.random.default_rng(4)
    share = 1 / (1 + np.arange(10))
    picks = rng.choice(10, (PEOPLE, EVENTS), p=share / share.sum())
    items = rng.integers(0, 4, PEOPLE)[:, None] * 10 + picks
    made = Sequences.of(list(items), ITEMS)
    ts = np.sort(rng.uniform(0, 24, (PEOPLE, EVENTS)), axis=1).ravel() * DAY_MS
    lives = Sequences(item=made.item, start=made.start, n_items=ITEMS, ts=ts.astype(np.int64))
    taste = np.arange(ITEMS) // 10
    return Shop(lives=lives, category=taste, section=taste)


SETTING = Setting(
    name="cold_made_up",
    title="Made up",
    protocol="A toy.",
    shop=shop(),
    cutoff=16 * DAY_MS,
    horizon_days=3,
    parts=3,
    asked=2,
    groups={"category": np.arange(ITEMS) // 10},
    towers=FusionConfig(dim=8, steps=4, first=True, hops=0, epochs=1, negatives=32, batch=256),
    anil=AnilConfig(dim=8, crowd=40, negatives=32, epochs=1),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The whole study with two seeds."""
    plan = Plan(data=tmp_path_factory.mktemp("none"), seeds=(1, 2), draws=50)
    told = []
    found = _study(SETTING, plan, lambda what, share: told.append((what, share)))
    assert [share for _, share in told] == sorted(share for _, share in told)
    return found


def test_every_method_stands_in_every_group(study):
    """Same rows at each number of events, with all figures and intervals."""
    names = [row.model for row in study.rows]
    assert list(study.groups) == list(COUNTS.values())
    for rows in study.groups.values():
        assert [row.model for row in rows] == names
        for row in rows:
            assert set(FIGURES) <= set(row.figures)
            assert row.figures["ndcg@20"].low <= row.figures["ndcg@20"].high


def test_what_chance_decides_has_all_seeds(study):
    """Baselines are computed once."""
    seeds = {row.model: row.seeds for row in study.rows}
    assert seeds["popularity"] == 1
    assert seeds["blend"] == seeds["ANIL"] == seeds["events-only towers"] == 2


def test_the_blend_wins_where_the_answer_can_be_known(study):
    """From one event on the taste is known; goals and gains say the same."""
    gains = {(gain.theirs, gain.figure): gain.interval for gain in study.gains}
    for theirs in ("popularity", "own history"):
        assert gains[theirs, "ndcg@20, 5 events"].low > 0
    assert all(goal.holds for goal in study.goals if "5 events" in goal.what)


def test_ablation_compares_single_seeds(study):
    """The whole against the whole without a part, over all numbers of events."""
    assert {gain.theirs for gain in study.ablation} >= {"blend without neighbours"}
    assert {gain.figure for gain in study.ablation} == {"ndcg@20"}


def test_a_goal_from_three_events_on_is_the_low_end_of_the_interval(study):
    """Before that the gain itself must be above zero."""
    goals = {goal.what: goal.value for goal in _goals(study.gains)}
    gains = {(gain.theirs, gain.figure): gain.interval for gain in study.gains}
    own = gains["own history", "ndcg@20, 3 events"]
    assert goals["low end of the interval over own history, ndcg@20, 3 events"] == own.low
    first = gains["popularity", "ndcg@20, 0 events"]
    assert goals["gain over popularity, ndcg@20, 0 events"] == first.difference


def test_strangers_are_nowhere_in_what_is_learned_from():
    """Rewriting all that strangers ever did changes no event of the past."""
    lives = SETTING.shop.lives
    past, cases = _fold(SETTING, 0)
    changed = lives.item.copy()
    for person in np.unique(cases.owner):
        changed[lives.start[person] : lives.start[person + 1]] = 0
    other = replace(lives, item=changed)
    again, _ = _fold(replace(SETTING, shop=replace(SETTING.shop, lives=other)), 0)
    assert np.array_equal(past.item, again.item)
    assert past.ts.max() < SETTING.cutoff


def test_everybody_is_a_stranger_once():
    """Parts do not overlap, and together they are all people."""
    parts = [set(_fold(SETTING, k)[1].owner.tolist()) for k in range(3)]
    assert not parts[0] & parts[1] | parts[1] & parts[2] | parts[0] & parts[2]
    assert len(set.union(*parts)) == PEOPLE


def test_rewriting_the_future_changes_nothing_that_is_learned():
    """Events from the cutoff on are cut off for everybody."""
    lives = SETTING.shop.lives
    later = lives.ts >= SETTING.cutoff
    other = replace(lives, item=np.where(later, 0, lives.item).astype(np.int32))
    first, second = before(lives, SETTING.cutoff), before(other, SETTING.cutoff)
    assert np.array_equal(first.item, second.item)


def test_the_taobao_log_is_read_in_shop_time(tmp_path):
    """Categories of items, codes of behaviours, eight hours ahead of UTC."""
    folder = tmp_path / "taobao_userbehavior"
    folder.mkdir()
    rows = "7,30,5,pv,1000\n7,10,4,buy,2000\n9,30,5,cart,1500\n"
    with gzip.open(folder / "UserBehavior.csv.gz", "wt") as file:
        file.write("user_id,item_id,category_id,behavior_type,timestamp\n" + rows)
    found = taobao(tmp_path)
    assert found.lives.item.tolist() == [1, 0, 1]
    assert found.lives.ts[0] == 1_000_000 + 8 * 3_600_000
    assert found.category.tolist() == [0, 1]
    assert len(set(found.lives.code.tolist())) == 3
    assert by_category(found).lives.item.tolist() == [1, 0, 1]
    assert by_category(found).lives.n_items == 2


def test_a_missing_log_is_said(tmp_path):
    """With the name of the file."""
    with pytest.raises(FileNotFoundError, match="UserBehavior"):
        taobao(tmp_path)


def test_price_bands_are_made_of_what_was_sold():
    """An item of the future has no price yet and moves no border."""
    price = np.array([1.0, 2, 3, 4, 0, 0])
    is_sold = price > 0
    bands = _bands(price, is_sold)
    assert bands[:4].tolist() == sorted(bands[:4].tolist())
    assert np.array_equal(bands[:4], _bands(price[:4], is_sold[:4]))
    assert bands[4:].tolist() == [0, 0]


def test_a_quick_look_asks_fewer_people_once(tmp_path):
    """With one seed and without the ablation."""
    quick = _study(SETTING, Plan(data=tmp_path, quick=True, draws=20), lambda *_: None)
    assert quick.cases < 4 * PEOPLE / 3
    assert {row.seeds for row in quick.rows} == {1}
    assert not quick.ablation

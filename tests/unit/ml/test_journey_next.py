"""The study of the coming week on a made-up shop with the calendar of Complete Journey."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.behaviours import PURCHASE
from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.fusion import FusionConfig
from ml.intent.promotions import Promotions
from ml.intent.receipts import Receipts
from ml.studies import STUDIES, Plan
from ml.studies.journey_data import Journey, week_start
from ml.studies.journey_next import (
    BOTH,
    FIGURES,
    GATE,
    HISTORY,
    INPUT,
    PLAIN,
    SWITCHES,
    cases_of,
    homes,
    not_bought_before,
    past_of,
    study_of,
)

PEOPLE, ITEMS, WEEKS = 24, 60, 48
TOWERS = FusionConfig(
    dim=8,
    encoder="none",
    steps=20,
    hops=0,
    negatives=32,
    batch=640,
    epochs=2,
    learning_rate=0.02,
    dropout=0.0,
)


def shop(seed=0):
    """Everybody likes a third of the items and takes what of it is on promotion, and a little."""
    rng = np.random.default_rng(seed)
    is_on = rng.random((WEEKS, ITEMS)) < 0.2
    user, item, week = (
        axis.ravel() for axis in np.meshgrid(np.arange(PEOPLE), np.arange(ITEMS), np.arange(WEEKS))
    )
    liked = (user + item) % 3 == 0
    chance = liked * (0.02 + 0.4 * is_on[week, item]) + 0.002
    rows = np.flatnonzero(rng.random(len(chance)) < chance)
    ts = week_start(1) + week[rows] * 7 * DAY_MS + rng.integers(0, 7 * DAY_MS, len(rows))
    rows, ts = rows[np.argsort(ts)], np.sort(ts)
    interactions = Interactions.of(
        user=user[rows],
        item=item[rows],
        code=np.full(len(rows), PURCHASE),
        ts=ts,
        user_ids=[f"u{k}" for k in range(PEOPLE)],
        catalogue=Catalogue.of(
            [f"i{k}" for k in range(ITEMS)], categories=[f"{k % 3}" for k in range(ITEMS)]
        ),
    )
    week, item = np.nonzero(is_on)
    begin = week_start(1) + week * 7 * DAY_MS
    store = replace(Receipts.plain(len(rows)), store=(user[rows] % 2).astype(np.int32))
    return Journey(
        interactions=interactions,
        receipts=store,
        promotions=Promotions.of(item=item, start=begin, end=begin + 7 * DAY_MS, store=item % 2),
        asked=np.ones(ITEMS, bool),
    )


@pytest.fixture(scope="module")
def study():
    """The whole study with two seeds."""
    plan = Plan(data=Path(), seeds=(1, 2), draws=20)
    told = []
    found = study_of(shop(), plan, lambda what, share: told.append((what, share)), towers=TOWERS)
    assert [share for _, share in told] == sorted(share for _, share in told)
    return found


def test_every_ranker_has_a_row_in_both_tables(study):
    """Recall and NDCG with intervals; what chance decides has all seeds."""
    for rows in (study.rows, study.groups["not bought before"]):
        assert {row.model for row in rows} >= {HISTORY, *SWITCHES}
        for row in rows:
            assert set(row.figures) == set(FIGURES)
            assert row.figures["recall@20"].low <= row.figures["recall@20"].high
            assert row.seeds == (2 if row.model in SWITCHES else 1)


def test_each_part_of_promotion_is_told_with_an_interval(study):
    """Input, gate, both, and the gate beside the input; the note gives the verdict."""
    pairs = {(gain.ours, gain.theirs) for gain in study.ablation}
    assert pairs == {(INPUT, PLAIN), (GATE, PLAIN), (BOTH, INPUT), (BOTH, PLAIN)}
    assert {gain.figure for gain in study.ablation} >= {*FIGURES, "recall@20, not bought before"}
    assert any("off by default" in note for note in study.notes)
    assert any("delta" in note and "bonus" in note for note in study.notes)


def test_the_study_can_be_asked_for_by_name(study):
    """As it is called in the report."""
    assert STUDIES[study.name] == "ml.studies.journey_next:journey_next"
    assert study.from_dict(study.to_dict()) == study


def test_cases_know_nothing_of_their_week_but_who_and_when():
    """Prefixes end before the cutoff; targets lie in the week, each once."""
    data = shop()
    cases, cutoff = cases_of(data, 46), week_start(46)
    assert (cases.prefixes.ts < cutoff).all()
    assert (cases.prefixes.ts >= cutoff - 182 * DAY_MS).all()
    assert (cases.prefixes.asked == cutoff).all()
    week = data.interactions.between(cutoff, week_start(47))
    assert len(cases.target) == len(np.unique(week.pair))
    assert np.array_equal(cases.prefixes.place, cases.owner % 2)
    assert (past_of(data, 46).ts < cutoff).all()
    assert len(cases_of(data, 46, one_in=3)) == -(-len(cases) // 3)


def test_what_was_bought_before_is_no_answer_to_what_was_not():
    """No target of the second question is known, and whoever has none is not asked."""
    cases = cases_of(shop(), 46)
    fresh = not_bought_before(cases)
    assert 0 < len(fresh) < len(cases)
    assert (np.diff(fresh.target_start) > 0).all()
    for k in range(len(fresh)):
        mine = fresh.target[fresh.target_start[k] : fresh.target_start[k + 1]]
        known = fresh.seen.item[fresh.seen.start[k] : fresh.seen.start[k + 1]]
        assert not np.isin(mine, known).any()


def test_home_is_where_most_was_bought_before():
    """Later receipts do not count."""
    data = shop()
    late = data.interactions.ts >= week_start(46)
    moved = np.where(late, 5, data.receipts.store).astype(np.int32)
    other = replace(data, receipts=replace(data.receipts, store=moved))
    assert np.array_equal(homes(data, week_start(46)), homes(other, week_start(46)))

"""The study of Complete Journey on a made-up shop with the same calendar."""

from pathlib import Path

import numpy as np
import pytest

from ml.behaviours import PURCHASE
from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.evaluation.records import Study
from ml.intent.promotions import Promotions
from ml.intent.receipts import Receipts
from ml.studies import Plan
from ml.studies.journey import NETWORKS, PROMOTED, STACK, TOGETHER, TREES, study_of
from ml.studies.journey_data import Journey, week_start
from ml.studies.journey_weeks import TESTS, make_weeks

PEOPLE, ITEMS, WEEKS = 24, 18, 49


def shop() -> Journey:
    """Everybody buys a third of the items every few weeks, and more of what is advertised."""
    rng = np.random.default_rng(0)
    user, item, week = np.meshgrid(np.arange(PEOPLE), np.arange(ITEMS), np.arange(1, WEEKS))
    user, item, week = user.ravel(), item.ravel(), week.ravel()
    due = ((user + item) % 3 == 0) & ((week + user + item) % (3 + item % 4) == 0)
    offered = (item + week) % 9 == 0
    chance = 0.8 * due + 0.01 + 0.3 * offered * ((user + item) % 3 == 0)
    rows = np.flatnonzero(rng.random(len(chance)) < chance)
    n = len(rows)
    start = week_start(1) + (week[rows] - 1) * 7 * DAY_MS
    ts = start + user[rows] % 7 * DAY_MS + rng.integers(0, DAY_MS // 2, n)
    order = np.argsort(ts, kind="stable")
    rows = rows[order]
    interactions = Interactions.of(
        user=user[rows],
        item=item[rows],
        code=np.full(n, PURCHASE),
        ts=ts[order],
        price=100.0 + item[rows],
        user_ids=[f"u{k}" for k in range(PEOPLE)],
        catalogue=Catalogue.of(
            [f"i{k}" for k in range(ITEMS)],
            categories=[f"food > group {k % 3} > sort {k % 9}" for k in range(ITEMS)],
        ),
    )
    item, week = np.meshgrid(np.arange(ITEMS), np.arange(1, WEEKS + 1))
    kept = (item + week) % 9 == 0
    begin = week_start(1) + (week[kept] - 1) * 7 * DAY_MS
    return Journey(
        interactions=interactions,
        receipts=Receipts.plain(n),
        promotions=Promotions.of(item=item[kept], start=begin, end=begin + 7 * DAY_MS),
        asked=np.arange(ITEMS) > 1,
    )


@pytest.fixture(scope="module")
def study() -> Study:
    """A quick look at the made-up shop."""
    plan = Plan(data=Path(), quick=True, seeds=(1,), draws=10)
    return study_of(shop(), plan, lambda what, share: None)


def test_every_model_has_a_row_beside_the_base_rate(study: Study) -> None:
    rows = {row.model: row for row in study.rows}
    assert {PROMOTED, TREES, NETWORKS, STACK} <= set(rows)
    assert all(row.figures["base_rate"].value == study.base_rate for row in study.rows)
    assert rows[STACK].figures["ap"].value > 2 * (study.base_rate or 1)
    assert {row.model for row in study.groups[TOGETHER]} >= {PROMOTED, STACK}


def test_what_promotions_are_worth_is_told_with_an_interval(study: Study) -> None:
    gains = {(gain.ours, gain.theirs): gain.interval for gain in study.ablation}
    without = gains[("trees on all columns", "without promotion")]
    assert without.low <= without.difference <= without.high
    assert any("counters + promotion" in gain.ours for gain in study.gains)


def test_the_view_at_one_to_one_is_labelled_so(study: Study) -> None:
    rows = study.groups["pool A3, 1:1"]
    assert all(row.figures["base_rate"].value == pytest.approx(0.5) for row in rows)
    assert all("natural" in row.note for row in rows)


def test_goals_curves_and_protocol_are_there(study: Study) -> None:
    assert {goal.bar for goal in study.goals} >= {0.203, 0.832, 0.0917, 0.009}
    assert {curve.kind for curve in study.curves} == {"precision_recall", "reliability", "gain"}
    assert "closed weeks" in study.protocol
    assert study.to_dict()["name"] == "journey"


def test_no_week_learns_from_itself_or_later() -> None:
    data = shop()
    weeks = make_weeks(data, lambda what, share: None, first=44)
    for week in TESTS:
        assert weeks.before(week).cutoff.max() < weeks.asked(week).cutoff.min()
        assert (weeks.asked(week).cutoff == week_start(week)).all()
    assert not np.isin(weeks.asked(46).item, [0, 1]).any()


def test_a_week_is_the_same_whether_or_not_later_ones_are_there() -> None:
    data = shop()
    end = week_start(TESTS[0])
    past = data.interactions.before(end)
    cut = Journey(
        interactions=past,
        receipts=Receipts.plain(len(past)),
        promotions=data.promotions.running(0, week_start(TESTS[0] + 1)),
        asked=data.asked,
    )
    whole = make_weeks(data, lambda what, share: None, first=44).asked(TESTS[0])
    again = make_weeks(cut, lambda what, share: None, first=44).asked(TESTS[0])
    np.testing.assert_array_equal(whole.values, again.values)

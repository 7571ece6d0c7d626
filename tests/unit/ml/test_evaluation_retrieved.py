"""Pool A2: recall over all purchases, not over those that could be found."""

import numpy as np
import pytest

from ml.behaviours import PURCHASE
from ml.config import DAY_MS
from ml.evaluation.pools import moment, touched_pool
from ml.evaluation.ranking import rank_cases
from ml.evaluation.retrieved import (
    histories,
    purchase_cases,
    recall_of_purchases,
    retrieved_pairs,
)
from ml.evaluation.splits import cutoffs, time_split
from ml.intent.counters import counter_table
from ml.ranking.history import OwnHistory
from ml.ranking.popular import Popular

VIEW = 2
START = 1_700_000_000_000


@pytest.fixture
def shop(events):
    """Person 0 looked at item 0 and buys 0 and 3; person 1 has no past and buys 2."""
    return events(
        (0, 0, VIEW, 10, 1),
        (0, 1, VIEW, 11, 1),
        (2, 1, VIEW, 11, 1),
        (0, 0, PURCHASE, 20, 1),
        (0, 0, PURCHASE, 20.5, 1),
        (0, 3, PURCHASE, 21, 1),
        (1, 2, PURCHASE, 22, 1),
        (2, 1, PURCHASE, 40, 1),
    )


def test_every_purchase_of_the_window_is_a_target_once(shop) -> None:
    cases = purchase_cases(shop, START + 20 * DAY_MS, window_days=30, horizon_days=7)
    assert cases.owner.tolist() == [0, 1]
    assert cases.target.tolist() == [0, 3, 2]
    assert cases.target_start.tolist() == [0, 2, 3]
    assert cases.prefixes.lengths.tolist() == [2, 0]
    assert cases.prefixes.item.tolist() == [0, 1]


def test_what_no_list_holds_counts_against_recall(shop) -> None:
    cutoff = START + 20 * DAY_MS
    cases = purchase_cases(shop, cutoff, window_days=30, horizon_days=7)
    model = OwnHistory()
    model.fit(histories(shop, cutoff, window_days=30).past)
    assert recall_of_purchases(rank_cases(model, cases), cases, 2) == pytest.approx(1 / 3)
    assert recall_of_purchases(rank_cases(model, cases), cases, 4) > 1 / 3


def test_events_outside_the_window_are_not_known(shop) -> None:
    found = histories(shop, START + 20 * DAY_MS, window_days=9)
    assert found.user.tolist() == [0, 2]
    assert found.past.item.tolist() == [1, 1]


def test_the_pairs_are_the_best_items_of_every_active_person(world, small) -> None:
    cutoff = cutoffs(time_split(world), small).test[0]
    people = histories(world, cutoff, window_days=small.window_days)
    model = Popular()
    model.fit(people.past)
    pairs = retrieved_pairs(model, people, top=5)
    assert len(pairs) == 5 * len(people.user)
    assert (np.diff(pairs) > 0).all()
    best = set(np.argsort(-np.bincount(people.past.item))[:5].tolist())
    assert set((pairs % world.n_items).tolist()) == best
    table = counter_table(world, cutoff, horizon_days=small.horizon_days, pairs=pairs)
    assert np.array_equal(table.user.astype(np.int64) * world.n_items + table.item, pairs)


def test_touched_pairs_alone_reach_only_a_part_of_the_purchases(world, small) -> None:
    """Of the purchases of a short window some were never touched before."""
    cutoff = START + 2 * DAY_MS
    cases = purchase_cases(world, cutoff, window_days=1, horizon_days=small.horizon_days)
    pool = touched_pool(moment(world, cutoff, small))
    assert 0 < pool.label.sum() < len(cases.target)

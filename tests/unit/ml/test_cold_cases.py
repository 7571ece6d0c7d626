"""Strangers are known by exactly so many events, and nothing later is ever seen."""

import numpy as np
import pytest

from ml.cold.cases import Arrival, before, joined, keep, lives
from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.ranking.sequences import Sequences

DAY = DAY_MS


def life(*people, n_items=9):
    """Sequences from lists of (day, item)."""
    items = [[item for _, item in one] for one in people]
    made = Sequences.of(items, n_items)
    ts = np.array([day * DAY for one in people for day, _ in one], np.int64)
    return Sequences(item=made.item, start=made.start, n_items=n_items, ts=ts)


def targets(cases):
    """The targets of each case, as sets."""
    return [
        set(cases.target[a:b].tolist())
        for a, b in zip(cases.target_start[:-1], cases.target_start[1:], strict=True)
    ]


LIVES = life(
    [(1, 0), (11, 1), (11, 2), (12, 3), (15, 1), (15, 1), (40, 4)],
    [(2, 5)],
    [(10, 6), (11, 7)],
)
"""The cutoff is day 10: the second person never came back, the third begins on the very day."""

ARRIVAL = Arrival(cutoff=10 * DAY, horizon=7 * DAY)


def test_nothing_is_known_of_a_stranger_without_events():
    """The targets begin with the first event, as if asked at the door."""
    cases, asked = ARRIVAL.cases(LIVES, 0)
    assert cases.prefixes.lengths.tolist() == [0, 0]
    assert targets(cases) == [{1, 2, 3}, {6, 7}]
    assert asked.tolist() == [11 * DAY, 10 * DAY]
    assert cases.owner.tolist() == [0, 2]


def test_the_prefix_is_exactly_the_first_events_from_the_cutoff_on():
    """What was before the cutoff does not exist."""
    cases, _ = ARRIVAL.cases(LIVES, 3)
    assert cases.prefixes.item.tolist() == [1, 2, 3]
    assert targets(cases) == [{1}]


def test_of_many_cases_some_are_kept_from_all_over():
    """Whoever comes late in the list is asked as well."""
    many = life(*[[(11, k % 4), (12, 4)] for k in range(10)])
    cases, asked = ARRIVAL.cases(many, 1, most=3)
    assert cases.owner.tolist() == [0, 3, 6]
    assert len(asked) == len(targets(cases)) == 3
    assert len(ARRIVAL.cases(many, 1, most=10)[0]) == 10


def test_what_happens_at_the_same_moment_is_no_target():
    """The rest of a receipt is not the future."""
    cases, _ = ARRIVAL.cases(LIVES, 1)
    assert cases.prefixes.item.tolist() == [1, 6]
    assert targets(cases) == [{3, 1}, {7}]


def test_targets_are_distinct_and_end_with_the_horizon():
    """Day 40 is too far away, and item 1 counts once."""
    cases, asked = ARRIVAL.cases(LIVES, 2)
    assert asked.tolist() == [11 * DAY]
    assert sorted(cases.target.tolist()) == [1, 3]
    assert ARRIVAL.cases(LIVES, 4)[0].owner.tolist() == []


def test_whoever_has_too_few_events_is_no_case():
    """Nobody is asked with less than was promised."""
    assert len(ARRIVAL.cases(LIVES, 6)[0]) == 0
    assert len(ARRIVAL.cases(life([], []), 0)[0]) == 0


@pytest.mark.parametrize("count", [0, 1, 3])
def test_deleting_the_future_changes_no_prefix(count):
    """Prefixes end with the last known event; later ones could not matter."""
    cases, asked = ARRIVAL.cases(LIVES, count)
    assert (cases.prefixes.ts < np.repeat(asked, cases.prefixes.lengths) + 1).all()
    assert (cases.prefixes.ts >= ARRIVAL.cutoff).all()


def test_the_past_ends_before_the_cutoff():
    """An event at the cutoff itself belongs to the future; rows stay where they are."""
    past = before(LIVES, ARRIVAL.cutoff)
    assert past.item.tolist() == [0, 5]
    assert past.lengths.tolist() == [1, 1, 0]


def test_kept_events_stay_with_their_person():
    """A mask over events moves the borders."""
    part = keep(LIVES, LIVES.item == 1)
    assert part.lengths.tolist() == [3, 0, 0]
    assert part.ts.tolist() == [11 * DAY, 15 * DAY, 15 * DAY]


def test_joined_cases_are_all_there_in_order():
    """Prefixes, targets and owners of one part, then of the next."""
    parts = [ARRIVAL.cases(LIVES, count)[0] for count in (0, 1, 3)]
    both = joined(parts)
    assert len(both) == 5
    assert both.prefixes.lengths.tolist() == [0, 0, 1, 1, 3]
    assert targets(both) == [one for part in parts for one in targets(part)]
    assert both.owner.tolist() == [0, 2, 0, 2, 0]


def test_lives_lie_by_person_and_time_and_ties_as_told():
    """Two lines of a receipt change places when the tie says so."""
    data = Interactions.of(
        user=[1, 0, 0, 1],
        item=[0, 1, 2, 3],
        code=np.full(4, 7),
        ts=[5, 3, 3, 1],
        user_ids=["a", "b", "c"],
        catalogue=Catalogue.of(["w", "x", "y", "z"]),
    )
    assert lives(data).item.tolist() == [1, 2, 3, 0]
    assert lives(data).lengths.tolist() == [2, 2, 0]
    assert lives(data, tie=np.array([0, 2, 1, 0])).item.tolist() == [2, 1, 3, 0]

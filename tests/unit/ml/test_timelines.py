"""Looking back from a cutoff."""

import numpy as np

from ml.config import DAY_MS
from ml.timelines import Timelines

START = 1_700_000_000_000


def test_last_events_are_the_newest_before_the_cutoff_oldest_first(events):
    data = events(*[(0, item, 2, day, 1) for day, item in enumerate([0, 1, 2, 3])])
    table = Timelines(data).last_events(START + 3 * DAY_MS, 2)
    assert table[0].tolist() == [1, 2]
    assert table[1].tolist() == [-1, -1]


def test_neighbours_are_distinct_and_a_repeated_one_counts_at_its_newest_time(events):
    data = events((0, 0, 2, 0, 1), (0, 1, 2, 1, 1), (0, 0, 2, 2, 1), (0, 2, 2, 3, 1))
    lines = Timelines(data)
    assert lines.items_of_users(START + 4 * DAY_MS, 3)[0].tolist() == [1, 0, 2]
    assert lines.items_of_users(START + 4 * DAY_MS, 2)[0].tolist() == [0, 2]
    assert lines.items_of_users(START + 2 * DAY_MS, 3)[0].tolist() == [0, 1, -1]


def test_people_of_items_are_the_other_side_of_the_same_edges(world):
    lines = Timelines(world)
    people = lines.users_of_items(world.end_ms, 100)
    items = lines.items_of_users(world.end_ms, 100)
    edges = {(user, item) for user, row in enumerate(items) for item in row if item >= 0}
    assert edges == {(user, item) for item, row in enumerate(people) for user in row if user >= 0}
    assert edges == set(zip(world.user.tolist(), world.item.tolist(), strict=True))


def test_nothing_at_or_after_the_cutoff_is_seen(world):
    """Trap 2: no graph edge and no sequence step from later events."""
    cutoff = int(world.ts[len(world) // 2])
    full, cut = Timelines(world), Timelines(world.before(cutoff))
    for look in (Timelines.last_events, Timelines.items_of_users, Timelines.users_of_items):
        assert np.array_equal(look(full, cutoff, 7), look(cut, cutoff, 7))
    newest = full.last_events(cutoff, 5).max()
    assert world.ts[newest] < cutoff


def test_an_empty_log_has_empty_tables(events):
    lines = Timelines(events())
    assert (lines.last_events(START, 3) == -1).all()
    assert lines.users_of_items(START, 3).shape == (4, 3)

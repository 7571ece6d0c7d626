"""Flat sequences become tensors without losing or inventing an event."""

import numpy as np
import pytest

from ml.fusion.batches import batches, gather, windows
from ml.fusion.people import GAPS, HOURS
from ml.ranking.sequences import Sequences

HOUR = 3_600_000


def test_every_event_but_the_first_is_foretold_once():
    """Pieces overlap by the one event that is only context."""
    past = Sequences.of([[0] * n for n in (0, 1, 2, 7, 8, 9)], 1)
    begin, end = windows(past, 4)
    foretold = np.concatenate([np.arange(b + 1, e + 1) for b, e in zip(begin, end, strict=True)])
    wanted = np.setdiff1d(np.arange(len(past.item)), past.start[:-1][past.lengths > 0])
    assert np.array_equal(np.sort(foretold), wanted)
    assert (end - begin <= 4).all()


def test_pieces_stay_inside_their_sequence():
    """The owner of the first event is the owner of the last."""
    past = Sequences.of([[0] * n for n in (3, 11, 5)], 1)
    begin, end = windows(past, 3)
    assert np.array_equal(past.owner[begin], past.owner[end])


def test_batches_hold_all_rows_once_and_about_as_many_events():
    """Rows of one batch are about equally long."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 40, 500)
    parts = list(batches(lengths, 200, rng))
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(500))
    assert max(lengths[part].sum() for part in parts) <= 240
    assert np.mean([np.ptp(lengths[part]) for part in parts]) < 3


def test_equal_seeds_give_equal_batches():
    """Chance comes in as an argument."""
    one, two = (list(batches(np.ones(50, int), 10, np.random.default_rng(4))) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_events_are_aligned_left_and_padding_points_behind_the_items():
    """Item 9 is the padding of nine items."""
    past = Sequences.of([[1, 2, 3], [4]], 9)
    events = gather(past, past.start[:-1], past.start[1:])
    assert events.item.tolist() == [[1, 2, 3], [4, 9, 9]]
    assert events.length.tolist() == [3, 1]
    assert events.gap is None


def test_without_times_age_is_the_number_of_events_between():
    """The row asks, the column answers; what is later has no age."""
    past = Sequences.of([[1, 2, 3]], 9)
    age = gather(past, past.start[:-1], past.start[1:]).age[0]
    assert age.tolist() == [[0, 0, 0], [1, 0, 0], [2, 1, 0]]


def test_with_times_age_is_in_days():
    """Two days and twelve hours."""
    ts = np.array([0, 60 * HOUR], np.int64)
    past = Sequences(
        item=np.array([0, 1], np.int32), start=np.array([0, 2]), n_items=2, ts=ts + 5 * HOUR
    )
    events = gather(past, past.start[:-1], past.start[1:])
    assert events.age[0, 1, 0] == pytest.approx(2.5)
    assert events.hour.tolist() == [[5, 65]]


def test_gaps_grow_with_the_time_since_the_event_before():
    """A second, an hour and a year fall into rising buckets, all inside the table."""
    seconds = np.cumsum([0, 1, 3600, 365 * 86_400])
    past = Sequences(
        item=np.zeros(4, np.int32),
        start=np.array([0, 4]),
        n_items=1,
        ts=(seconds * 1000).astype(np.int64),
    )
    events = gather(past, past.start[:-1], past.start[1:])
    gap = events.gap[0].numpy()
    assert (np.diff(gap[1:]) > 0).all()
    assert gap.max() < GAPS
    assert int(events.hour.max()) < HOURS


def test_nobody_is_no_reason_to_fail():
    """Sequences without any event give one column of padding."""
    past = Sequences.of([[], []], 5)
    events = gather(past, past.start[:-1], past.start[1:])
    assert events.item.tolist() == [[5], [5]]


def test_people_without_any_event_are_rows_of_padding():
    """With behaviours and times too: nothing is looked up that is not there."""
    nobody = Sequences(
        item=np.zeros(0, np.int32),
        start=np.zeros(4, np.int64),
        n_items=5,
        code=np.zeros(0, np.int8),
        ts=np.zeros(0, np.int64),
    )
    events = gather(nobody, nobody.start[:-1], nobody.start[1:])
    assert events.length.tolist() == [0, 0, 0]
    assert (events.item == 5).all()
    assert (events.code == 0).all()

"""Rules, the fixed blend, candidates and the item graph on worlds small enough to count by hand."""

import numpy as np
import pytest

from ml.errors import NotEnoughData
from ml.ranking.blend import Blend, softmax
from ml.ranking.candidates import best_columns, union
from ml.ranking.item_graph import heaviest, transitions
from ml.ranking.rules import SequentialRules, follows
from ml.ranking.sequences import Sequences


class Constant:
    """A ranker that always says the same."""

    def __init__(self, row):
        self.row = np.asarray(row, np.float32)
        self.fitted_on = None

    def fit(self, past):
        self.fitted_on = past

    def scores(self, prefixes):
        return np.tile(self.row, (len(prefixes), 1))


def test_a_rule_counts_less_the_farther_it_reaches():
    """0 is followed by 1, then by 2."""
    model = SequentialRules(steps=2)
    model.fit(Sequences.of([[0, 1, 2], [0, 1]], 4))
    scores = model.scores(Sequences.of([[2, 0]], 4))[0]
    np.testing.assert_allclose(scores, [0, 2, 0.5, 0], atol=1e-5)


def test_an_item_may_follow_itself():
    """Reloading a page is an event too."""
    assert follows(Sequences.of([[1, 1, 0]], 2)).toarray().tolist() == [[0, 0], [1, 1]]


def test_old_rules_fade():
    """The first of two sessions counts half, with a half-life of one session."""
    table = follows(Sequences.of([[0, 1], [0, 2]], 3), half_life=1.0).toarray()
    np.testing.assert_allclose(table[0], [0, 0.5, 1])


def test_rules_never_cross_from_one_session_to_the_next():
    """1 ends the first session and 2 begins the second."""
    assert follows(Sequences.of([[0, 1], [2, 0]], 3), steps=3).toarray()[1, 2] == 0


def test_an_empty_prefix_gets_what_is_popular():
    """There is no last item to ask about."""
    model = SequentialRules()
    model.fit(Sequences.of([[0, 2, 2]], 3))
    assert model.scores(Sequences.of([[]], 3)).argmax() == 2


def test_rules_need_events():
    """Nothing follows nothing."""
    with pytest.raises(NotEnoughData):
        SequentialRules().fit(Sequences.of([], 3))


def test_the_blend_is_a_mixture_of_shares():
    """Network (1/2, 1/2, 0), memory (0, 1/4, 3/4)."""
    network, memory = Constant([5, 5, -200]), Constant([0, 1, 3])
    mixed = Blend(network, memory, share=0.25)
    past = Sequences.of([[0]], 3)
    mixed.fit(past)
    found = mixed.scores(Sequences.of([[0], [1]], 3))
    np.testing.assert_allclose(found, [[0.375, 0.4375, 0.1875]] * 2, atol=1e-6)
    assert network.fitted_on is past
    assert memory.fitted_on is past


def test_softmax_leaves_its_input_alone_and_stands_large_numbers():
    """Logits of a thousand are no reason to overflow."""
    logits = np.array([[1000.0, 1000.0]], np.float32)
    np.testing.assert_allclose(softmax(logits), [[0.5, 0.5]])
    assert logits[0, 0] == 1000


@pytest.mark.parametrize(("rows", "items", "k"), [(3, 10, 4), (5, 1000, 7), (2, 333, 3)])
def test_the_best_columns_are_those_of_a_full_sort(rows, items, k):
    """Folding only saves time."""
    scores = np.random.default_rng(3).random((rows, items)).astype(np.float32)
    wanted = np.sort(np.argsort(-scores, axis=1)[:, :k], axis=1)
    np.testing.assert_array_equal(np.sort(best_columns(scores, k), axis=1), wanted)


def test_candidates_are_the_best_of_all_channels_and_the_prefix_itself():
    """Each pair once, rows in order."""
    first = np.array([[9, 0, 0, 0, 0], [0, 9, 0, 0, 0]], np.float32)
    second = np.array([[9, 0, 0, 0, 0], [0, 0, 9, 0, 0]], np.float32)
    prefixes = Sequences.of([[3], [2, 4]], 5)
    row, item = union([first, second], prefixes, 1)
    assert list(zip(row, item, strict=True)) == [(0, 0), (0, 3), (1, 1), (1, 2), (1, 4)]


def test_edges_run_both_ways_and_share_out_one():
    """1 lies between 0 (twice) and 2 (once)."""
    table = transitions(Sequences.of([[0, 1], [0, 1, 2]], 4)).toarray()
    np.testing.assert_allclose(table[1], [2 / 3, 0, 1 / 3, 0])
    np.testing.assert_allclose(table[3], 0)


def test_an_item_is_no_neighbour_of_itself():
    """Reloads make no edge."""
    assert transitions(Sequences.of([[1, 1, 0]], 2)).diagonal().sum() == 0


def test_only_the_heaviest_edges_are_kept():
    """Row sums stay 1."""
    table = transitions(Sequences.of([[0, 1], [0, 1], [0, 2], [0, 3], [0, 3], [0, 3]], 4))
    found = heaviest(table, 2).toarray()
    np.testing.assert_allclose(found[0], [0, 0.4, 0, 0.6], atol=1e-6)


def test_edges_can_be_of_one_behaviour():
    """Only the pair whose later event has code 2."""
    past = Sequences.of([[0, 1, 2]], 3)
    coded = Sequences(
        item=past.item, start=past.start, n_items=3, code=np.array([0, 0, 2], np.int8)
    )
    found = transitions(coded, code=2, both_ways=False).toarray()
    assert found[1, 2] == 1
    assert found.sum() == 1
    with pytest.raises(ValueError, match="codes"):
        transitions(past, code=2)


def test_newer_edges_weigh_more():
    """A half-life of one session: 1 against 1/2."""
    found = transitions(Sequences.of([[0, 1], [0, 2]], 3), half_life=1.0).toarray()
    np.testing.assert_allclose(found[0], [0, 1 / 3, 2 / 3], atol=1e-6)

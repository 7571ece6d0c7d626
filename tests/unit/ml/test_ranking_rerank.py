"""Trees over candidates: what they are told, what they learn, and what they must not see."""

import numpy as np
import pytest

from ml.errors import NotEnoughData
from ml.ranking.rerank import RerankConfig, Reranker, every_prefix
from ml.ranking.rerank_columns import NEVER, Candidates, ItemFacts, Pairs, opinions
from ml.ranking.rules import SequentialRules, follows
from ml.ranking.sequences import Sequences
from ml.ranking.vsknn import VSKNN

ITEMS = 30
SMALL = RerankConfig(held_out=0.3, candidates=8, trees=20, smallest=5)


class Recorder(SequentialRules):
    """Rules that note how many sessions they were shown."""

    shown: list[int] = []  # noqa: RUF012

    def fit(self, past):
        self.shown.append(len(past))
        super().fit(past)


def back_and_forth(people=300, seed=3):
    """Sessions a, b, a, b: what comes next is always the item before the last."""
    rng = np.random.default_rng(seed)
    pairs = [rng.choice(ITEMS, 2, replace=False) for _ in range(people)]
    return Sequences.of([[a, b, a, b] for a, b in pairs], ITEMS)


def fitted(**channels):
    """A re-ranker of rules, which know pairs but not places."""
    model = Reranker(channels or {"rules": SequentialRules, "memory": VSKNN}, SMALL)
    model.fit(back_and_forth())
    return model


def test_every_prefix_is_asked_for_the_item_after_it():
    """Longest first, as in the published cases."""
    prefixes, target, owner = every_prefix(Sequences.of([[1, 2, 3], [4], [5, 6]], 9))
    asked = np.split(prefixes.item, prefixes.start[1:-1])
    assert [part.tolist() for part in asked] == [[1, 2], [1], [5]]
    assert target.tolist() == [3, 2, 6]
    assert owner.tolist() == [0, 0, 2]


def test_short_prefixes_can_be_left_out():
    """Where the cases have none either."""
    prefixes, target, _ = every_prefix(Sequences.of([[1, 2, 3]], 9), shortest=2)
    assert prefixes.lengths.tolist() == [2]
    assert target.tolist() == [3]


def test_trees_learn_what_no_channel_knows():
    """That people go back to the item before the last one."""
    asked = back_and_forth(seed=8).last(3)
    answer = asked.item[asked.start[:-1] + 1]
    best = fitted().scores(asked).argmax(axis=1)
    rules = SequentialRules()
    rules.fit(back_and_forth())
    assert (best == answer).mean() > 0.95
    assert (rules.scores(asked).argmax(axis=1) == answer).mean() < 0.5


def test_items_that_no_channel_proposes_come_below_in_the_order_of_the_first():
    """All of them are there, and finite."""
    model = fitted()
    asked = Sequences.of([[1, 2], [5]], ITEMS)
    scores = model.scores(asked)
    rules = SequentialRules()
    rules.fit(back_and_forth())
    assert np.isfinite(scores).all()
    last = np.argsort(-scores[1])[-5:]
    base = rules.scores(asked)[1]
    assert (np.diff(base[last[np.argsort(-scores[1, last], kind="stable")]]) <= 1e-6).all()
    assert scores[1, last].max() < scores[1].max() - 1


def test_channels_have_not_seen_what_the_trees_learn_from():
    """First the early seven tenths, then everything."""
    Recorder.shown.clear()
    fitted(rules=Recorder)
    assert Recorder.shown == [210, 300]


def test_equal_seeds_give_equal_scores():
    """Trees draw columns, and cases where there are too many."""
    asked = back_and_forth(20)
    assert np.array_equal(fitted().scores(asked), fitted().scores(asked))


def test_a_sample_of_whole_sequences_is_enough():
    """Fewer cases, still an answer."""
    model = Reranker(
        {"rules": SequentialRules}, RerankConfig(held_out=0.5, cases=90, trees=5, smallest=2)
    )
    model.fit(back_and_forth())
    assert model.scores(back_and_forth(3)).shape == (3, ITEMS)


def test_what_the_trees_used_can_be_read():
    """Shares of the gain, one per column."""
    found = fitted().importance()
    assert sum(found.values()) == pytest.approx(1)
    assert any(name.startswith("rules") for name in found)


def test_without_anything_to_foretell_the_first_channel_answers():
    """Sessions of one event have no next item."""
    past = Sequences.of([[1], [2], [1]] * 7, ITEMS)
    model = Reranker({"rules": SequentialRules}, SMALL)
    model.fit(past)
    assert model.scores(Sequences.of([[2]], ITEMS)).argmax() == 1
    assert model.importance() == {}


def test_without_events_that_is_said():
    """Channels cannot learn from nothing."""
    with pytest.raises(NotEnoughData):
        Reranker({"rules": SequentialRules}, SMALL).fit(Sequences.of([], ITEMS))


def test_cells_of_a_sparse_table_are_looked_up_at_once():
    """Absent cells and absent items are 0."""
    table = Pairs(follows(Sequences.of([[0, 1, 2], [0, 1]], 4)))
    found = table.of(np.array([0, 1, 2, -1, 3]), np.array([1, 2, 0, 1, 3]))
    assert found.tolist() == [2, 1, 0, 0, 0]


def test_opinions_hold_score_share_distance_and_rank():
    """Of the candidates of one row only."""
    scores = np.array([[4, 2, 1, 0], [0, 0, 5, 1]], np.float32)
    asked = Candidates(np.array([0, 0, 1, 1]), np.array([1, 2, 2, 3]))
    wanted = [[2, 0.5, 2, 0], [1, 0.25, 3, 1], [5, 1, 0, 0], [1, 0.2, 4, 1]]
    np.testing.assert_allclose(opinions(scores, asked), wanted)


def test_facts_say_where_in_the_prefix_an_item_stands():
    """Last place from the end, times, length of the prefix and number of its items."""
    facts = ItemFacts(Sequences.of([[0, 1, 2]], 5))
    asked = Candidates(np.array([0, 0, 1]), np.array([3, 4, 1]))
    found = facts.columns(Sequences.of([[3, 1, 3, 0], [2]], 5), asked)
    assert found[:, :4].tolist() == [[2, 2, 4, 3], [NEVER, 0, 4, 3], [NEVER, 0, 1, 1]]


def test_questions_are_left_as_they_were():
    """Sparse tables over the same arrays must not tidy them up."""
    asked = Sequences.of([[3, 1, 3, 0], [2, 2]], ITEMS)
    item, start = asked.item.copy(), asked.start.copy()
    fitted().scores(asked)
    assert np.array_equal(asked.item, item)
    assert np.array_equal(asked.start, start)


def test_facts_stand_prefixes_without_events():
    """Somebody new."""
    facts = ItemFacts(Sequences.of([[0, 1, 2], [2, 2]], 5))
    asked = Candidates(np.array([0, 1]), np.array([1, 2]))
    assert np.isfinite(facts.columns(Sequences.of([[], []], 5), asked)).all()

"""The blend for strangers: counts that can be checked by hand, weights that learn, files."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from ml.cold.baselines import CategoryPrior, HistoryAlone, PopularLately
from ml.cold.blend import ColdBlend, ColdConfig
from ml.cold.evidence import Level
from ml.cold.follows import follows
from ml.cold.known import Known
from ml.cold.weights import softmax_weights
from ml.config import DAY_MS
from ml.errors import ModelBroken, NotEnoughData
from ml.ranking.sequences import Sequences

ITEMS, PER_TASTE, TASTES = 40, 10, 4
CONFIG = ColdConfig(horizon_days=5, prior=5.0)


def timed(items, days, n_items=ITEMS):
    """Sequences from lists of items and of days."""
    made = Sequences.of(items, n_items)
    ts = np.concatenate([np.zeros(0), *(np.asarray(one) * DAY_MS for one in days)])
    return Sequences(item=made.item, start=made.start, n_items=n_items, ts=ts.astype(np.int64))


def shop(people=240, seed=3):
    """Everybody has one taste, ten items of it, and takes one a day, low numbers more often."""
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, TASTES, people)
    share = 1 / (1 + np.arange(PER_TASTE))
    picks = rng.choice(PER_TASTE, (people, 20), p=share / share.sum())
    items = taste[:, None] * PER_TASTE + picks
    days = np.sort(rng.uniform(0, 30, (people, 20)), axis=1)
    return timed(list(items), list(days)), taste


def groups():
    """The taste that each item belongs to."""
    return {"category": np.arange(ITEMS) // PER_TASTE}


@pytest.fixture(scope="module")
def blend():
    """One that knows the shop."""
    one = ColdBlend(groups(), CONFIG)
    one.fit(shop()[0])
    return one


def test_follows_counts_distinct_items_inside_the_horizon():
    """0 then 1 twice within two days is one count; 2 is too late; 0 again is a return."""
    past = timed([[0, 1, 1, 0, 2]], [[0, 1, 1.5, 1.8, 9]], 3)
    found = follows(past, 2 * DAY_MS, 8)
    assert found.table.toarray().tolist() == [[0, 1, 0], [2, 0, 0], [0, 0, 0]]
    assert found.again.tolist() == [1, 1, 0]
    assert found.events.tolist() == [2, 2, 0]


def test_events_at_the_same_moment_do_not_follow_each_other():
    """Lines of one receipt have no order."""
    past = timed([[0, 1, 2]], [[0, 0, 9]], 3)
    assert follows(past, 2 * DAY_MS, 8).table.nnz == 0


def test_nobody_follows_into_the_next_persons_life():
    """The last event of one and the first of the next are strangers to each other."""
    past = timed([[0], [1], [2]], [[0], [0.5], [30]], 3)
    assert follows(past, 2 * DAY_MS, 8).table.nnz == 0


def test_only_so_many_later_events_are_looked_at():
    """A life that never ends must not be paired with itself."""
    past = timed([[0, 1, 2, 3, 4]], [[0, 1, 2, 3, 40]], 5)
    found = follows(past, 9 * DAY_MS, 8, ahead=1)
    assert np.argwhere(found.table.toarray()).tolist() == [[0, 1], [1, 2], [2, 3]]


def test_the_pairs_seen_most_often_are_kept_with_their_lift():
    """What is dropped has the lift of a pair never seen."""
    table = csr_array(np.array([[0, 3, 1], [2, 0, 2], [0, 0, 0]], np.float32))
    whole = Level.of(table, np.arange(3), prior=1.0)
    short = Level.of(table, np.arange(3), prior=1.0, neighbours=1)
    assert np.argwhere(short.extra.toarray()).tolist() == [[0, 1], [1, 0]]
    assert short.extra[0, 1] == whole.extra[0, 1]
    assert np.array_equal(short.base, whole.base)


def test_lifts_are_ratios_of_shares():
    """Without a prior: P(1 | 0) = 3/4 against P(1) = 3/8."""
    table = csr_array(np.array([[0, 3, 1], [2, 0, 2], [0, 0, 0]], np.float32))
    level = Level.of(table, np.arange(3), prior=0.0001)
    found = level.log_lift(csr_array(np.array([[1.0, 0, 0], [0, 0, 0]], np.float32)))
    assert np.exp(found[0, 1]) == pytest.approx(2, rel=0.01)
    assert found[1].tolist() == [0, 0, 0]


def test_a_large_prior_trusts_no_pair():
    """Then every lift is about 1."""
    table = csr_array(np.array([[0, 3], [2, 0]], np.float32))
    level = Level.of(table, np.arange(2), prior=1e6)
    found = level.log_lift(csr_array(np.eye(2, dtype=np.float32)))
    assert np.allclose(found, 0, atol=1e-4)


def test_weights_find_what_decides():
    """The second column orders the candidates, the first is noise."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 20, 2)).astype(np.float32)
    score = 2 * features[:, :, 1] + rng.gumbel(size=(200, 20))
    right = score == score.max(axis=1, keepdims=True)
    start = np.arange(0, 4001, 20)
    found = softmax_weights(features.reshape(-1, 2), start, right.ravel(), np.zeros(2))
    assert abs(found[0]) < 0.25
    assert 1.5 < found[1] < 2.5


def test_weights_stay_where_nothing_is_right():
    """No lesson, no change."""
    guess = np.array([0.5])
    nothing = np.zeros(4, bool)
    found = softmax_weights(np.ones((4, 1), np.float32), np.array([0, 2, 4]), nothing, guess)
    assert found.tolist() == guess.tolist()


def test_one_event_shows_the_taste(blend):
    """The best items after one event are of its taste."""
    prefixes = Sequences.of([[5], [25]], ITEMS)
    best = np.argsort(-blend.scores(prefixes), axis=1)[:, :5]
    assert (best // PER_TASTE == np.array([[0], [2]])).all()


def test_without_events_the_favourites_of_all_come_first(blend):
    """The first items of the four tastes are the most popular."""
    best = np.argsort(-blend.scores(Sequences.of([[]], ITEMS))[0])[:4]
    assert set((best % PER_TASTE).tolist()) <= {0, 1}


def test_blend_beats_popularity_and_history_on_strangers(blend):
    """From one event on, on people that nobody counted."""
    later, _ = shop(people=80, seed=9)
    prefixes = later.take(slice(None))
    first = Sequences.of([prefixes.item[a : a + 3] for a in prefixes.start[:-1]], ITEMS)
    then = np.array([prefixes.item[a + 3] for a in prefixes.start[:-1]])

    def reached(model):
        scores = model.scores(first)
        own = scores[np.arange(len(then)), then][:, None]
        rank = 1 + (scores > own).sum(1) + 0.5 * ((scores == own).sum(1) - 1)
        return (1 / rank).mean()

    past = shop()[0]
    others = [PopularLately(), HistoryAlone()]
    for one in others:
        one.fit(past)
    assert reached(blend) > max(reached(one) for one in others)


def test_evidence_left_out_has_no_weight():
    """And the rest still answers."""
    one = ColdBlend(groups(), ColdConfig(horizon_days=5, without=("own", "category")))
    one.fit(shop(people=60)[0])
    unused = [k for k, name in enumerate(one.evidence.names) if name.startswith(("own", "cat"))]
    assert not one.weights[:, unused].any()
    assert np.isfinite(one.scores(Sequences.of([[1]], ITEMS))).all()


def test_equal_seeds_give_equal_weights():
    """Nothing but the seed decides who is held out."""
    past = shop(people=60)[0]
    first, second = ColdBlend(groups(), CONFIG), ColdBlend(groups(), CONFIG)
    first.fit(past)
    second.fit(past)
    assert np.array_equal(first.weights, second.weights)


def test_a_recount_keeps_the_weights_and_sees_what_is_new():
    """Item 39 comes into fashion after the weights were learned."""
    past = shop(people=60)[0]
    one = ColdBlend(groups(), CONFIG)
    one.fit(past)
    kept = one.weights.copy()
    one.recount(timed([[39, 39, 39], [39, 38]], [[1, 2, 3], [1, 2]]))
    assert np.array_equal(one.weights, kept)
    assert one.scores(Sequences.of([[]], ITEMS))[0].argmax() == 39


def test_few_people_teach_nearly_the_same():
    """A bound on the cases makes learning quick and the answer no other."""
    past = shop()[0]
    one = ColdBlend(groups(), replace(CONFIG, people=20))
    one.fit(past)
    best = np.argsort(-one.scores(Sequences.of([[5], [25]], ITEMS)), axis=1)[:, :5]
    assert (best // PER_TASTE == np.array([[0], [2]])).all()


def test_a_saved_blend_answers_the_same(blend, tmp_path):
    """Arrays alone go through the file."""
    blend.save(tmp_path / "cold.npz")
    again = ColdBlend.load(tmp_path / "cold.npz")
    prefixes = Sequences.of([[], [3], [3, 3, 14, 2, 39, 0, 7]], ITEMS)
    assert np.array_equal(again.scores(prefixes), blend.scores(prefixes))


def test_anything_else_is_refused(blend, tmp_path):
    """A pickle, a text, and weights that are no numbers."""
    np.savez(tmp_path / "a.npz", weights=np.array([object()]))
    (tmp_path / "b.npz").write_text("nothing")
    blend.save(tmp_path / "c.npz")
    with np.load(tmp_path / "c.npz") as file:
        arrays = dict(file)
    arrays["weights"] = arrays["weights"] * np.nan
    np.savez(tmp_path / "c.npz", **arrays)
    for name in "abc":
        with pytest.raises(ModelBroken):
            ColdBlend.load(tmp_path / f"{name}.npz")


def test_too_little_to_learn_from_leaves_the_first_guess():
    """One event, and an answer all the same."""
    one = ColdBlend({}, CONFIG)
    one.fit(timed([[1]], [[0]], 4))
    assert one.scores(Sequences.of([[]], 4))[0].argmax() == 1


def test_no_events_and_no_times_are_said():
    """With the error that every ranker has, or a sentence."""
    with pytest.raises(NotEnoughData, match="events 0"):
        ColdBlend({}).fit(Sequences.of([[], []], 4))
    with pytest.raises(ValueError, match="times"):
        ColdBlend({}).fit(Sequences.of([[1, 2]], 4))


def test_popular_lately_forgets_what_is_older():
    """Item 0 sold well a month ago."""
    one = PopularLately(7)
    one.fit(timed([[0, 0, 0, 1]], [[0, 0, 0, 30]], 3))
    assert one.scores(Sequences.of([[]], 3))[0].argmax() == 1


def test_history_alone_knows_its_own_items_newest_first():
    """An item that came twice counts by its latest event; the others are equal."""
    one = HistoryAlone()
    found = one.scores(Sequences.of([[2, 0, 2, 1]], 5))[0]
    assert found.tolist() == [pytest.approx(1 / 3), 1, 0.5, 0, 0]


def test_category_prior_prefers_the_prefix_category():
    """Item 2 sells best at large, item 0 inside the category of item 1."""
    one = CategoryPrior(np.array([0, 0, 1, 1]))
    one.fit(timed([[0, 0, 1, 2, 2, 2, 3]], [[1] * 7], 4))
    found = one.scores(Sequences.of([[], [1]], 4))
    assert found.argmax(1).tolist() == [2, 0]


def test_what_nobody_has_touched_cannot_be_shown():
    """Unless the one who asks has touched it: item 3 is in no past, item 2 only in the prefix."""

    class LikesTheUnknown:
        def fit(self, past):
            pass

        def scores(self, prefixes):
            return np.tile(np.arange(4, dtype=np.float32), (len(prefixes), 1))

    one = Known(LikesTheUnknown())
    one.fit(timed([[0, 1]], [[0, 1]], 4))
    found = one.scores(Sequences.of([[], [2]], 4))
    assert np.argsort(-found, axis=1)[:, 0].tolist() == [1, 2]
    assert found[0, 2] == found[0, 3] < found[0, 0]

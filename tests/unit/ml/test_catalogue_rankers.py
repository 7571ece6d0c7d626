"""What single rankers promise beyond the contract, on sequences of a few events."""

import numpy as np
import pytest

from ml.ranking.causal_attention import CausalAttention, CausalAttentionConfig
from ml.ranking.ease import EASE, LARGEST
from ml.ranking.history import OwnHistory
from ml.ranking.item_knn import ItemKNN
from ml.ranking.markov import Markov, transitions
from ml.ranking.people import PeopleVectors
from ml.ranking.popular import Popular
from ml.ranking.profiles import popularity, profiles, touched
from ml.ranking.rated import OfLiked, RatedChannel, RatedConfig, RatedStack, liked
from ml.ranking.sequences import Sequences
from ml.ranking.shortlist import Channel, Shortlist, ShortlistConfig
from ml.ranking.slist import SLIST
from ml.ranking.spectral import spectral_items

DAY = 86_400_000


def timed(lists, days, n_items):
    """Sequences with times in days."""
    plain = Sequences.of(lists, n_items)
    ts = np.concatenate([np.asarray(one, np.int64) for one in days]) * DAY
    return Sequences(item=plain.item, start=plain.start, n_items=n_items, ts=ts)


def rated(lists, ratings, n_items):
    """Sequences with ratings, one day apart."""
    plain = Sequences.of(lists, n_items)
    return Sequences(
        item=plain.item,
        start=plain.start,
        n_items=n_items,
        code=np.concatenate([np.asarray(one, np.int8) for one in ratings]),
        ts=np.concatenate([np.arange(len(one)) * DAY for one in lists]).astype(np.int64),
    )


class TestProfiles:
    def test_an_event_counts_less_for_each_one_after_it(self):
        found = profiles(Sequences.of([[0, 1, 2]], 4), decay=0.5).toarray()
        assert found.tolist() == [[0.25, 0.5, 1, 0]]

    def test_an_item_that_comes_twice_adds_up(self):
        found = profiles(Sequences.of([[0, 1, 0]], 2), decay=0.5).toarray()
        assert found.tolist() == [[1.25, 0.5]]

    def test_only_the_last_steps_count(self):
        found = profiles(Sequences.of([[0, 1, 2], [3]], 4), steps=1).toarray()
        assert found.tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]

    def test_kinds_have_weights(self):
        one = rated([[0, 1]], [[2, 5]], 2)
        weight = np.arange(6, dtype=np.float32)
        assert profiles(one, kind_weight=weight).toarray().tolist() == [[2, 5]]

    def test_weights_of_kinds_need_kinds(self):
        with pytest.raises(ValueError, match="codes"):
            profiles(Sequences.of([[0]], 1), kind_weight=np.ones(1, np.float32))

    def test_touched_is_one_however_often(self):
        assert touched(Sequences.of([[1, 1, 1], []], 2)).toarray().tolist() == [[0, 1], [0, 0]]

    def test_popularity_is_relative_to_the_best(self):
        assert popularity(Sequences.of([[0, 0], [1]], 3)).tolist() == [1, 0.5, 0]


class TestPopular:
    def test_old_events_count_less_when_days_are_given(self):
        past = timed([[0, 0, 1]], [[0, 0, 100]], 2)
        plain, lately = Popular(), Popular(half_life_days=10)
        plain.fit(past)
        lately.fit(past)
        assert plain.scores(past)[0].argmax() == 0
        assert lately.scores(past)[0].argmax() == 1

    def test_old_sequences_count_less_when_their_order_is_time(self):
        past = Sequences.of([[0], [0], [2], [2], [2], [1], [1]], 3)
        model = Popular(half_life_sequences=1)
        model.fit(past)
        assert model.scores(past.take(np.array([0])))[0].argmax() == 1

    def test_days_need_times(self):
        with pytest.raises(ValueError, match="times"):
            Popular(half_life_days=1).fit(Sequences.of([[0]], 1))

    def test_age_has_one_unit(self):
        with pytest.raises(ValueError, match="not in both"):
            Popular(half_life_days=1, half_life_sequences=1)


def test_history_puts_the_latest_item_first_and_then_what_sells():
    model = OwnHistory()
    model.fit(Sequences.of([[3, 3, 2]], 5))
    order = np.argsort(-model.scores(Sequences.of([[1, 0]], 5))[0])
    assert order.tolist()[:4] == [0, 1, 3, 2]


class TestMarkov:
    def test_a_pair_counts_one_over_its_gap(self):
        table = transitions(Sequences.of([[0, 1, 2]], 3), 2).toarray()
        assert table.tolist() == [[0, 1, 0.5], [0, 0, 1], [0, 0, 0]]

    def test_no_pair_crosses_into_the_next_sequence(self):
        assert transitions(Sequences.of([[0], [1], [2]], 3), 5).nnz == 0

    def test_an_item_never_leads_to_itself(self):
        assert transitions(Sequences.of([[0, 0, 0]], 1), 2).nnz == 0

    def test_what_comes_next_is_not_what_came_before(self):
        model = Markov()
        model.fit(Sequences.of([[0, 1, 2]] * 3, 3))
        scores = model.scores(Sequences.of([[1]], 3))[0]
        assert scores.argmax() == 2

    def test_backward_pairs_make_co_visits(self):
        model = Markov(backward=1.0)
        model.fit(Sequences.of([[0, 1]], 3))
        assert model.scores(Sequences.of([[1]], 3))[0].argmax() == 0

    def test_late_sequences_count_more_when_told_so(self):
        past = Sequences.of([[0, 1], [0, 1], [0, 2]], 3)
        model = Markov(half_life_sequences=0.5)
        model.fit(past)
        assert model.scores(Sequences.of([[0]], 3))[0].argmax() == 2


class TestItemKNN:
    def test_scores_are_cosines_of_columns(self):
        model = ItemKNN()
        model.fit(Sequences.of([[0, 1], [0, 1], [0, 2]], 3))
        found = model.scores(Sequences.of([[0]], 3))[0]
        assert found[1] == pytest.approx(2 / np.sqrt(6), abs=1e-4)
        assert found[2] == pytest.approx(1 / np.sqrt(3), abs=1e-4)

    def test_only_the_best_neighbours_are_kept(self):
        model = ItemKNN(neighbours=1)
        model.fit(Sequences.of([[0, 1], [0, 1], [0, 2]], 3))
        found = model.scores(Sequences.of([[0]], 3))[0]
        assert found[1] > 0.5
        assert found[2] < 1e-3


class TestEASE:
    def test_it_solves_the_ridge_problem_with_an_empty_diagonal(self):
        rng = np.random.default_rng(2)
        past = Sequences.of([rng.permutation(9)[:4] for _ in range(30)], 9)
        model = EASE(ridge=3.0)
        model.fit(past)
        x = touched(past).toarray().astype(np.float64)
        inverse = np.linalg.inv(x.T @ x + 3 * np.eye(9))
        expected = -inverse / np.diag(inverse)
        np.fill_diagonal(expected, 0)
        one = Sequences.of([[k] for k in range(9)], 9)
        assert np.allclose(model.scores(one), expected, atol=1e-4)

    def test_a_catalogue_that_is_too_large_is_refused(self):
        with pytest.raises(ValueError, match=f"at most {LARGEST}"):
            EASE().fit(Sequences.of([[0]], LARGEST + 1))

    def test_another_decay_needs_no_new_table(self):
        past = Sequences.of([[0, 1, 2], [0, 1], [1, 2]], 3)
        model = EASE(ridge=1.0)
        model.fit(past)
        fresh = EASE(ridge=1.0, decay=0.5)
        fresh.fit(past)
        assert np.array_equal(model.decaying(0.5).scores(past), fresh.scores(past))


class TestSLIST:
    def test_it_solves_its_normal_equations(self):
        """Of transitions alone: (XᵀX + λ) B = XᵀY over all places."""
        past = Sequences.of([[0, 1, 2], [2, 0], [1, 2, 0, 1]], 3)
        model = SLIST(ridge=0.7, together=0.0, decay=0.5, foresight=0.25)
        model.fit(past)
        before, after = [], []
        for row in ([0, 1, 2], [2, 0], [1, 2, 0, 1]):
            for place in range(1, len(row)):
                x, y = np.zeros(3), np.zeros(3)
                for back, item in enumerate(reversed(row[:place])):
                    x[item] += 0.5**back
                for ahead, item in enumerate(row[place:]):
                    y[item] += 0.25**ahead
                before.append(x)
                after.append(y)
        x, y = np.array(before), np.array(after)
        expected = np.linalg.solve(x.T @ x + 0.7 * np.eye(3), x.T @ y)
        found = model.scores(Sequences.of([[0], [1], [2]], 3))
        assert np.allclose(found, expected, atol=1e-4)

    def test_it_tells_before_from_after(self):
        model = SLIST(ridge=1.0, together=0.1)
        model.fit(Sequences.of([[0, 1, 2]] * 5 + [[3, 1]], 4))
        assert model.scores(Sequences.of([[1]], 4))[0].argmax() == 2


class TestPeopleVectors:
    past = Sequences.of([[0, 1], [2, 3]], 4)
    vectors = np.array([[1, 0], [0, 1]], np.float32)

    def test_who_was_learned_from_keeps_the_learned_vector(self):
        assert np.array_equal(PeopleVectors(self.past, self.vectors).of(self.past), self.vectors)

    def test_a_stranger_is_like_the_people_of_the_same_items(self):
        found = PeopleVectors(self.past, self.vectors).of(Sequences.of([[0], [3, 2]], 4))
        assert np.allclose(found, self.vectors)

    def test_nobody_is_the_mean_of_all(self):
        found = PeopleVectors(self.past, self.vectors).of(Sequences.of([[]], 4))
        assert found[0, 0] == found[0, 1] > 0


class TestSpectralItems:
    past = Sequences.of([[0, 1, 2], [2, 1, 0], [3, 4, 5], [5, 3, 4]], 7)

    def test_items_that_stand_together_point_the_same_way(self):
        found = spectral_items(self.past, 2)
        near = found @ found.T
        assert near[0, 1] > 0.9
        assert abs(near[0, 4]) < 0.5

    def test_an_item_without_company_has_no_direction(self):
        assert not spectral_items(self.past, 2)[6].any()

    def test_more_dimensions_than_items_are_filled_with_zeros(self):
        assert spectral_items(self.past, 20).shape == (7, 20)


def test_a_head_start_saves_epochs():
    """After one pass the network that began with spectral vectors ranks the right item better."""
    rng = np.random.default_rng(0)
    rows = [(rng.integers(0, 4) * 10 + rng.permutation(10))[:6] for _ in range(300)]
    whole = Sequences.of(rows, 40)
    target = whole.item[whole.start[1:] - 1]
    places = {}
    for head_start in (True, False):
        config = CausalAttentionConfig(
            dim=16, epochs=1, negatives=16, dropout=0, head_start=head_start
        )
        model = CausalAttention(config, seed=1)
        model.fit(whole.without_last())
        scores = model.scores(whole.without_last())
        own = scores[np.arange(len(target)), target][:, None]
        places[head_start] = (scores > own).sum(axis=1).mean()
    assert places[True] < places[False] - 3


class TestShortlist:
    def chain(self):
        """Item k leads to k + 1, in a circle."""
        rng = np.random.default_rng(4)
        rows = [(rng.integers(0, 20) + np.arange(5)) % 20 for _ in range(200)]
        return Sequences.of(rows, 20)

    def stack(self):
        return Shortlist(
            {
                "sales": Channel(make=Popular, weight=1.0),
                "order": Channel(make=Markov, weight=0.0),
            },
            ShortlistConfig(items=16, dim=4, trees=30, smallest=5),
            seed=1,
        )

    def hits(self, model, whole):
        scores = model.scores(whole.without_last())
        return (scores.argmax(axis=1) == whole.item[whole.start[1:] - 1]).mean()

    def test_trees_find_out_who_is_right(self):
        """The blend believes in sales, the trees learn that only order matters."""
        whole = self.chain()
        model = self.stack()
        model.fit(whole.without_last())
        assert self.hits(model, whole) > self.hits(model.blend(), whole)
        assert self.hits(model, whole) > 0.9

    def test_a_part_can_be_left_out(self):
        whole = self.chain()
        model = self.stack()
        model.fit(whole.without_last())
        assert self.hits(model.without("order"), whole) < self.hits(model, whole)

    def test_own_items_stand_below_the_list(self):
        whole = self.chain()
        model = self.stack()
        model.fit(whole)
        scores = model.scores(whole)
        assert scores[whole.owner, whole.item].max() < 0

    def test_another_ranker_can_take_a_channel(self):
        whole = self.chain()
        model = self.stack()
        model.fit(whole.without_last())
        same = model.exchanged("order", model._fitted["order"])
        asked = whole.without_last()
        assert np.array_equal(same.scores(asked), model.scores(asked))


class TestRatedStack:
    def world(self):
        """Everybody takes six of twelve films in order; even ones are liked, odd ones are not."""
        rng = np.random.default_rng(6)
        rows = [np.sort(rng.permutation(12)[:6]) for _ in range(60)]
        return rated(rows, [np.where(row % 2, 2, 5) for row in rows], 12)

    def stack(self):
        channels = {
            "all": RatedChannel(make=lambda: EASE(ridge=5.0), weight=1.0),
            "liked": RatedChannel(make=lambda: OfLiked(Popular()), weight=0.0),
        }
        return RatedStack(channels, RatedConfig(items=8, trees=20, leaves=4, smallest=5), 1)

    def test_liked_keeps_fours_and_fives(self):
        one = liked(rated([[0, 1, 2], [3]], [[4, 3, 5], [1]], 4))
        assert one.item.tolist() == [0, 2]
        assert one.start.tolist() == [0, 2, 2]

    def test_ratings_are_needed(self):
        with pytest.raises(ValueError, match="ratings"):
            liked(Sequences.of([[0]], 1))

    def test_trees_learn_that_only_liked_films_are_right(self):
        past = self.world()
        right = np.zeros((len(past), 12), bool)
        right[:, ::2] = True
        right[past.owner, past.item] = False
        model = self.stack()
        model.fit(past)
        before = model.scores(past)
        model.learn(past, right)
        after = model.scores(past)
        for scores in (before, after):
            scores[past.owner, past.item] = -np.inf
        can = right.any(axis=1)
        rows = np.flatnonzero(can)
        assert right[rows, after[rows].argmax(axis=1)].mean() > 0.95
        assert right[rows, before[rows].argmax(axis=1)].mean() < 0.9

    def test_without_trees_it_is_the_blend(self):
        past = self.world()
        model = self.stack()
        model.fit(past)
        blend = model.scores(past)
        model.learn(past, ~touched(past).toarray().astype(bool))
        assert np.array_equal(model.without_trees().scores(past), blend)

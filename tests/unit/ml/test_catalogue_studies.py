"""The studies on whole catalogues, run on files made here in the public layouts."""

import gzip

import numpy as np
import pytest
import torch

from ml.evaluation.ranking import Cases
from ml.ranking.markov import Markov
from ml.ranking.popular import Popular
from ml.ranking.sequences import Sequences
from ml.studies import Plan, beauty, movielens
from ml.studies.contest import Contender, Contest
from ml.studies.movielens_data import both, eight_one_one, joined, last_tenth, questions
from ml.studies.movielens_data import read as read_ratings


def quiet(what, share):
    """Nobody listens; shares stay between 0 and 1."""
    assert what
    assert 0 <= share <= 1


@pytest.fixture(autouse=True)
def one_thread():
    """As the studies themselves ask for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def reviews(tmp_path):
    """200 people who walk around a circle of 40 items, in the layout of the shared file."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "amazon_beauty_sequences"
    folder.mkdir()
    with gzip.open(folder / "Beauty.txt.gz", "wt") as file:
        for person in range(200):
            walk = (rng.integers(0, 40) + np.arange(rng.integers(5, 9))) % 40 + 1
            file.write(" ".join(map(str, [person + 1, *walk])) + "\n")
    return tmp_path


@pytest.fixture
def ratings(tmp_path):
    """40 people with 20 to 40 films of 60; the first likes none of the last."""
    rng = np.random.default_rng(8)
    rows = []
    for person in range(40):
        films = rng.permutation(60)[: rng.integers(20, 40)]
        # Three ratings share a second, as in a sitting.
        seconds = 880_000_000 + person * 1000 + np.arange(len(films)) // 3
        stars = np.where(films % 2 == person % 2, 5, rng.integers(1, 5, len(films)))
        stars[-4:] = 1 if person == 0 else stars[-4:]
        rows += list(zip([person + 1] * len(films), films + 1, stars, seconds, strict=True))
    folder = tmp_path / "movielens_100k"
    folder.mkdir()
    with gzip.open(folder / "ml-100k.inter.csv.gz", "wt") as file:
        file.write("user_id:token,item_id:token,rating:float,timestamp:float\n")
        for row in rng.permutation(len(rows)):
            file.write(",".join(map(str, rows[row])) + "\n")
    return tmp_path


class TestContest:
    whole = Sequences.of([(np.arange(5) + begin) % 9 for begin in range(9)], 9)

    def contest(self):
        past = self.whole.without_last()
        target = self.whole.item[self.whole.start[1:] - 1]
        cases = Cases.one_each(past, target, seen=past)
        return Contest(past, cases, (1, 2), 20, ("recall@1", "recall@2"))

    def test_what_is_not_by_chance_is_learned_once(self):
        contest = self.contest()
        made = []
        contest.enter(Contender(name="a", make=lambda seed: made.append(seed) or Popular()))
        contest.enter(
            Contender(name="b", make=lambda seed: made.append(seed) or Popular(), is_random=True)
        )
        assert made == [1, 1, 2]
        assert [row.seeds for row in contest.rows()] == [1, 2]

    def test_rows_stand_in_the_order_of_entry_with_their_costs(self):
        contest = self.contest()
        contest.enter(Contender(name="popularity", make=lambda _: Popular(), note="a note"))
        contest.enter(Contender(name="markov", make=lambda _: Markov()))
        rows = contest.rows()
        assert [row.model for row in rows] == ["popularity", "markov"]
        assert rows[0].note == "a note"
        assert rows[1].seconds > 0
        assert rows[1].peak_mb > 0

    def test_the_best_is_found_by_the_figure_asked_for(self):
        contest = self.contest()
        contest.enter(Contender(name="popularity", make=lambda _: Popular()))
        contest.enter(Contender(name="markov", make=lambda _: Markov()))
        assert contest.best("recall@1", ["popularity", "markov"]) == "markov"
        assert contest.gain("markov", "popularity", "recall@1").interval.difference >= 0

    def test_groups_hold_rows_of_their_cases_only(self):
        contest = self.contest()
        contest.enter(Contender(name="markov", make=lambda _: Markov()))
        found = contest.groups({"first": np.arange(9) == 0}, ["markov"])
        assert found["first"][0].figures["recall@2"].value in (0, 1)


class TestBeauty:
    def test_items_count_from_zero_and_nobody_is_lost(self, reviews):
        whole = beauty.read(reviews)
        assert len(whole) == 200
        assert whole.n_items == 40
        assert whole.item.min() == 0

    def test_the_study_finds_the_next_step_of_the_walk(self, reviews, monkeypatch):
        """Also that all rows, gains, groups and goals are there."""
        monkeypatch.setattr(beauty, "NET", beauty.replace(beauty.NET, dim=16, epochs=2))
        monkeypatch.setattr(beauty, "GRAPH", beauty.replace(beauty.GRAPH, dim=8, epochs=1))
        study = beauty.beauty(Plan(data=reviews, seeds=(1, 2), draws=20), quiet)
        rows = {row.model: row for row in study.rows}
        assert rows["fusion"].figures["recall@10"].value > 0.95
        assert rows["fusion"].seeds == 2
        assert rows["EASE"].seeds == 1
        assert {"Markov", "LightGCN", "SASRec", "ALS", "BPR", "fusion without trees"} <= set(rows)
        assert {gain.figure for gain in study.gains} == {"ndcg@10", "recall@10"}
        assert len(study.ablation) == 8
        assert "history 2-4" in study.groups or "history 5-19" in study.groups
        assert [goal.bar for goal in study.goals] == [0.056, 0.092]
        assert study.to_dict()["cases"] == 200


class TestMovieLensData:
    def test_ratings_stand_by_person_and_time_with_ties_as_in_the_file(self, ratings):
        found = read_ratings(ratings)
        assert (np.diff(found.user) >= 0).all()
        same = np.diff(found.user) == 0
        assert (np.diff(found.ts)[same] >= 0).all()
        assert found.rating.min() >= 1

    def test_the_last_tenth_is_rounded_up_and_later(self, ratings):
        whole = read_ratings(ratings)
        earlier, latest = last_tenth(whole)
        count = np.bincount(whole.user)
        assert np.array_equal(np.bincount(latest.user), np.ceil(count / 10))
        for person in range(whole.n_users):
            before, after = (one.ts[one.user == person] for one in (earlier, latest))
            assert before.max() <= after.min()

    def test_the_random_cut_leaves_nothing_out_and_nothing_twice(self, ratings):
        whole = read_ratings(ratings)
        parts = eight_one_one(whole, 1)
        pairs = [set(zip(one.user, one.item, strict=True)) for one in parts]
        assert sum(map(len, pairs)) == len(whole.user) == len(set.union(*pairs))
        count = np.bincount(whole.user)
        for one in parts[1:]:
            assert np.array_equal(np.bincount(one.user), count // 10)

    def test_another_seed_cuts_elsewhere(self, ratings):
        whole = read_ratings(ratings)
        first, second = (eight_one_one(whole, seed)[2].item for seed in (1, 2))
        assert not np.array_equal(first, second)

    def test_both_puts_two_parts_back_in_order(self, ratings):
        whole = read_ratings(ratings)
        earlier, latest = last_tenth(whole)
        again = both(earlier, latest)
        assert np.array_equal(again.item, whole.item)
        assert np.array_equal(again.ts, whole.ts)

    def test_only_ratings_that_are_good_enough_are_asked_for(self, ratings):
        earlier, latest = last_tenth(read_ratings(ratings))
        cases = questions(earlier, earlier, latest, 4)
        assert len(cases) == earlier.n_users
        assert len(cases.target) == (latest.rating >= 4).sum()

    def test_joined_cases_keep_their_people(self, ratings):
        earlier, latest = last_tenth(read_ratings(ratings))
        one = questions(earlier, earlier, latest, 4)
        two = joined([one, one])
        assert len(two) == 2 * len(one)
        assert np.array_equal(two.owner[: len(one)], two.owner[len(one) :])
        assert np.array_equal(two.target[len(one.target) :], one.target)


class TestMovieLens:
    def small(self, monkeypatch):
        graph = movielens.replace(movielens.GRAPH, dim=8, epochs=1)
        monkeypatch.setattr(movielens, "GRAPH", graph)
        monkeypatch.setattr(movielens, "SPLITS", (1, 2))

    def test_by_time(self, ratings, monkeypatch):
        self.small(monkeypatch)
        study = movielens.movielens_time(Plan(data=ratings, seeds=(1, 2), draws=20), quiet)
        rows = {row.model: row for row in study.rows}
        assert rows["fusion"].seeds == 2
        whole, known = (rows["fusion"], study.groups["with something to find"][-1])
        assert whole.figures["recall@10"].value < known.figures["recall@10"].value <= 1
        assert "with something to find" in study.groups
        assert [goal.bar for goal in study.goals] == [0.175, 0.145]

    def test_at_random(self, ratings, monkeypatch):
        self.small(monkeypatch)
        study = movielens.movielens_recbole(Plan(data=ratings, draws=20), quiet)
        assert study.cases == 80
        assert study.notes[0].startswith("EASE over 2 splits")
        assert len(study.gains) == 2

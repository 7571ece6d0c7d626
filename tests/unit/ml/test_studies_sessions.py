"""The study of sessions on files of the same layout, made up here."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from ml.ranking.rules import SequentialRules
from ml.ranking.sequences import Sequences
from ml.studies import Plan, sessions
from ml.studies.session_files import owners, read
from ml.studies.session_settings import DIGINETICA, RETAILROCKET
from ml.studies.shared_models import Shared

ITEMS = 25


def walks(count, rng):
    """Sessions that walk upwards with a step back now and then; ids start at 1."""
    for _ in range(count):
        steps = rng.choice([1, 1, 1, 0, -1], rng.integers(2, 7))
        yield (np.cumsum(np.append(rng.integers(0, ITEMS), steps)) % ITEMS + 1).tolist()


def cases_of(session, shortest):
    """The lines of one session, longest prefix first."""
    for end in range(len(session) - 1, shortest - 1, -1):
        yield " ".join(map(str, session[:end])) + f"\t{session[end]}"


@pytest.fixture
def folder(tmp_path):
    """Both files of both sets."""
    rng = np.random.default_rng(6)
    for setting in (RETAILROCKET, DIGINETICA):
        where = tmp_path / setting.folder
        where.mkdir()
        lines = [" ".join(map(str, one)) for one in walks(400, rng)]
        with gzip.open(where / "train_sessions.txt.gz", "wt") as file:
            file.write("\n".join(lines) + "\n")
        with gzip.open(where / "test_cases.txt.gz", "wt") as file:
            for one in walks(40, rng):
                file.writelines(line + "\n" for line in cases_of(one, setting.shortest))
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """Small nets and few trees, so that a whole study takes seconds."""
    for name, setting in (("RETAILROCKET", RETAILROCKET), ("DIGINETICA", DIGINETICA)):
        network = replace(setting.network, epochs=2, dim=16, negatives=16, batch=512)
        rerank = replace(setting.rerank, trees=5, candidates=5, smallest=5, held_out=0.2)
        monkeypatch.setattr(sessions, name, replace(setting, network=network, rerank=rerank))


def test_lines_become_sequences_and_cases(folder):
    """Ids count from 0 inside; prefixes and targets are those of the file."""
    data = read(folder / DIGINETICA.folder)
    with gzip.open(folder / DIGINETICA.folder / "test_cases.txt.gz", "rt") as file:
        prefix, target = file.readline().split("\t")
    first = data.cases.prefixes.take(np.array([0]))
    assert (first.item + 1).tolist() == [int(word) for word in prefix.split()]
    assert data.cases.target[0] + 1 == int(target)
    assert len(data.past) == 400
    assert data.past.n_items == ITEMS


def test_cases_of_one_session_have_one_owner(folder):
    """Forty sessions were written."""
    owner = read(folder / DIGINETICA.folder).cases.owner
    assert owner[0] == 0
    assert (np.diff(owner) >= 0).all()
    assert 38 <= owner[-1] + 1 <= 40


def test_a_session_ends_where_the_next_prefix_does_not_continue_it():
    """Shorter by one is not enough: its items and the target must agree."""
    prefixes = Sequences.of([[1, 2, 3], [1, 2], [1], [4, 5], [4], [9]], 10)
    target = np.array([7, 3, 2, 6, 5, 8], np.int32)
    assert owners(prefixes, target).tolist() == [0, 0, 0, 1, 1, 2]
    other = np.array([7, 3, 2, 6, 4, 8], np.int32)
    assert owners(prefixes, other).tolist() == [0, 0, 0, 1, 2, 3]


@pytest.mark.parametrize("study", [sessions.retailrocket, sessions.diginetica])
def test_a_study_has_rows_gains_groups_and_goals(study, folder, small):
    """From the files to plain values, with two seeds."""
    told = []
    plan = Plan(data=folder, seeds=(1, 2), draws=20)
    found = study(plan, lambda what, share: told.append(share))
    models = {row.model: row for row in found.rows}
    assert {"fusion", "fixed blend", "V-SKNN", "GRU4Rec", "SASRec"} <= set(models)
    assert models["fusion"].seeds == 2
    assert (
        models["V-SKNN"].figures["mrr@20"].value
        > models["popularity, lately"].figures["mrr@20"].value
    )
    assert {(gain.ours, gain.theirs) for gain in found.ablation} >= {
        ("fusion network alone", "fusion network without attention"),
        ("fusion", "fusion without memory"),
    }
    assert any(name.startswith("target in the prefix") for name in found.groups)
    assert {curve.model for curve in found.curves} >= {"GRU4Rec", "fusion network alone"}
    assert len(found.goals) == 2
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] <= 1
    json.dumps(found.to_dict())


def test_a_quick_study_asks_fewer_cases(folder, small):
    """One in ten sessions."""
    plan = Plan(data=folder, quick=True, seeds=(1,), draws=5)
    assert sessions.diginetica(plan, lambda what, share: None).cases < 30


def test_a_shared_model_learns_once_for_each_past():
    """Two views, two pasts, two models; an answer is kept until another question comes."""
    made = []

    class Counting(SequentialRules):
        def __init__(self):
            super().__init__()
            made.append(self)
            self.asked = 0

        def scores(self, prefixes):
            self.asked += 1
            return super().scores(prefixes)

    shared = Shared(Counting)
    one, two = shared.view(), shared.view()
    past = Sequences.of([[0, 1], [1, 2], [2, 0]], 3)
    early = past.take(np.arange(2))
    one.fit(early)
    two.fit(early)
    two.fit(past)
    question = past.without_last()
    one.scores(question)
    assert len(made) == 2
    assert not np.array_equal(one.scores(question), two.scores(question))
    assert made[0].asked == 1
    one.scores(early)
    assert made[0].asked == 2


def test_a_view_is_fitted_before_it_is_asked():
    """Like every ranker."""
    with pytest.raises(ValueError, match="fitted"):
        Shared(SequentialRules).view().scores(Sequences.of([[0]], 1))

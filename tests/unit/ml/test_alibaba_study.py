"""The study on Alibaba 2014, on a small made log in the same layout."""

import gzip
from datetime import timedelta

import numpy as np
import pytest
import torch

from ml.behaviours import CART, PURCHASE
from ml.config import DAY_MS
from ml.evaluation.balanced import GROUP as BALANCED
from ml.studies import STUDIES, Plan, run
from ml.studies.alibaba import POOLED, REFITS, TEST, TUNING, VALIDATION
from ml.studies.alibaba_data import FILE, FIRST_DAY, Lessons, day_of, load, pairs_at
from ml.studies.alibaba_models import DAILY, FUSION, HORIZONS, LINE, MODELS
from ml.studies.alibaba_paper import VARIANTS

DAYS = 123


def write(folder, *rows):
    """The file with rows of (person, brand, type, day)."""
    path = folder / FILE
    path.parent.mkdir(parents=True)
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.write("user_id,brand_id,type,visit_datetime\n")
        for person, brand, kind, day in rows:
            when = FIRST_DAY + timedelta(days=int(day))
            out.write(f"{person},{brand},{kind},{when.month}-{when.day}\n")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """People look at a few favourite brands all the time and buy what they looked at most."""
    rng = np.random.default_rng(0)
    n, people, brands = 4000, 20, 40
    person = rng.integers(0, people, n)
    brand = (person * 3 + rng.geometric(0.3, n)) % brands
    day = rng.integers(0, DAYS, n)
    liked = rng.random(n) < np.where((brand - person * 3) % brands < 2, 0.12, 0.01)
    kind = np.where(liked, 1, rng.choice([0, 2, 3], n, p=[0.95, 0.04, 0.01]))
    return write(tmp_path_factory.mktemp("data"), *zip(person, brand, kind, day, strict=True))


def test_types_and_days_are_read(tmp_path):
    write(tmp_path, ("u2", "b", 1, 0), ("u1", "a", 0, 50), ("u1", "b", 3, 122))
    data = load(tmp_path)
    assert (data.ts // DAY_MS).tolist() == [0, 50, 122]
    assert data.code[0] == PURCHASE
    assert data.code[2] == CART
    assert [data.user_ids[row] for row in data.user] == ["u2", "u1", "u1"]
    assert [data.catalogue.item_ids[row] for row in data.item] == ["b", "a", "b"]


def test_pairs_of_a_day_are_those_touched_before_it(tmp_path):
    write(tmp_path, ("u", "a", 0, 99), ("u", "b", 0, 100), ("u", "a", 1, 113), ("u", "c", 0, 39))
    table = pairs_at(load(tmp_path), 100)
    assert len(table) == 1
    assert table.label.tolist() == [True]


@pytest.mark.parametrize("horizon", HORIZONS)
def test_no_lesson_knows_what_happens_from_its_day_on(folder, horizon):
    data = load(folder)
    day = 60
    known = Lessons.of(data, (81, day), HORIZONS, seed=1).daily(day, horizon)
    past = Lessons.of(data.before(day * DAY_MS), (81, day), HORIZONS, seed=1).daily(day, horizon)
    assert np.array_equal(known.values, past.values, equal_nan=True)
    assert np.array_equal(known.label, past.label)
    assert np.array_equal(known.weight, past.weight)
    assert int(day_of(known).max()) == day - horizon


def test_lessons_of_every_horizon_end_with_the_day(folder):
    data = load(folder)
    lessons = Lessons.of(data, (81, 60), HORIZONS, seed=1)
    days = np.unique(day_of(lessons.every_horizon(60)))
    assert days.tolist() == [32, 46]
    past = Lessons.of(data.before(60 * DAY_MS), (81, 60), HORIZONS, seed=1)
    assert np.array_equal(lessons.every_horizon(60).label, past.every_horizon(60).label)


def test_weights_of_lessons_stand_for_all_pairs(folder):
    data = load(folder)
    table = Lessons.of(data, (60,), HORIZONS, seed=1).daily(60, 7)
    pairs = sum(len(pairs_at(data, day)) for day in np.unique(day_of(table)).tolist())
    assert table.weight.sum() == pytest.approx(pairs, rel=0.05)
    assert table.label.sum() == sum(
        int(pairs_at(data, day, 7).label.sum()) for day in np.unique(day_of(table)).tolist()
    )


def test_every_day_is_answered_by_a_fit_of_its_past():
    served = [day for days in REFITS.values() for day in days]
    assert sorted(served) == [TUNING, *range(VALIDATION, TEST + 1)]
    assert all(min(days) >= refit for refit, days in REFITS.items())


def test_the_whole_study_has_every_model_in_both_views(folder):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        plan = Plan(data=folder, quick=True, seeds=(1,), draws=20)
        told = []
        study = run("alibaba", plan, lambda what, share: told.append(share))
    finally:
        torch.set_num_threads(threads)
    names = {*MODELS, *VARIANTS, FUSION, DAILY, LINE}
    for rows in (study.rows, study.groups[BALANCED], study.groups[POOLED]):
        assert {row.model for row in rows} == names
        assert all(np.isfinite(row.figures["auc"].value) for row in rows)
    assert all(row.figures["base_rate"].value == 0.5 for row in study.groups[BALANCED])
    assert told == sorted(told)
    trees = next(row for row in study.rows if row.model == "LightGBM")
    assert trees.figures["auc"].value > 0.6
    assert ("paper", "LSTM alone") in {(gain.ours, gain.theirs) for gain in study.gains}


def test_the_command_knows_the_study():
    assert STUDIES["alibaba"] == "ml.studies.alibaba:run"

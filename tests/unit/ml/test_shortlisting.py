"""A shortlist holds what anybody is shown, or does not answer."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ml import shortlisting
from ml.errors import ModelBroken
from ml.serving import ServingModel
from ml.serving.short import Scored, Shortlist, ShortRows
from ml.serving.store import SHORTLIST, read_shortlist, write_shortlist
from ml.shortlisting import Judged, shortlist


@pytest.fixture
def small_numbers(monkeypatch):
    """A shop of this size would not need one."""
    monkeypatch.setattr(shortlisting, "SMALL", 10)
    monkeypatch.setattr(shortlisting, "LIST", 5)
    monkeypatch.setattr(shortlisting, "LEARN", 20)
    monkeypatch.setattr(shortlisting, "JUDGE", 10)


def rows_of(model):
    return np.array([int(user_id[2:]) for user_id in model.user_ids])


def test_a_shortlist_is_made_of_some_people_s_lists_and_judged_by_others(
    small_numbers, world, trained
):
    """What people of the checkerboard are shown, they have touched or is near to it."""
    model, folder, _ = trained
    served = ServingModel.load(folder)
    found = shortlist(served, world, rows_of(model), model.user_vectors)
    assert 0.98 < found.recall <= 1.0
    assert 0 < found.looked < 1


def test_where_few_lists_miss_too_much_what_nearly_came_up_is_looked_at_too(
    small_numbers, world, trained, monkeypatch
):
    """Three people's lists leave out what a fourth is shown."""
    model, folder, _ = trained
    served = ServingModel.load(folder)
    near = np.zeros((len(served.item_ids), 0), np.int32)
    served = replace(served, neighbour=near, neighbour_cosine=near.astype(np.float32))
    monkeypatch.setattr(shortlisting, "LEARN", 3)
    monkeypatch.setattr(shortlisting, "LIST", 3)
    found = []
    for ways in (((1, 1),), ((1, 1), (4, 1))):
        monkeypatch.setattr(shortlisting, "WAYS", ways)
        found.append(shortlist(served, world, rows_of(model), model.user_vectors))
    assert found[0].recall < 0.98
    assert found[1].recall > found[0].recall
    assert found[1].looked > found[0].looked


def test_a_small_shop_needs_none(world, trained):
    model, folder, _ = trained
    assert shortlist(ServingModel.load(folder), world, rows_of(model), model.user_vectors) is None


def test_only_a_shortlist_that_misses_little_and_is_short_may_answer():
    none = Shortlist(np.zeros(3, bool), np.zeros(3, bool))
    assert Judged(none, 0.99, 0.2).is_good
    assert not Judged(none, 0.97, 0.2).is_good
    assert not Judged(none, 1.0, 0.8).is_good


@pytest.fixture
def short():
    """Item 1 for all, and items 3 to 6 for those who touch their category."""
    items = np.arange(7)
    return Shortlist(items == 1, items >= 3)


def test_own_items_are_looked_at_by_those_who_touch_their_category(short):
    """What is not listed, and what has no category, is nobody's own."""
    category = np.array([0, 0, 1, 1, 1, 0, -1], np.int32)
    listed = np.arange(7) != 4
    rows = ShortRows(short, category, listed)
    none = np.zeros(0, np.int64)
    assert rows.of(none, none).tolist() == [1]
    assert rows.of(np.array([1]), none).tolist() == [1, 3]
    assert rows.of(np.array([0, 1]), np.array([6, 3])).tolist() == [1, 3, 5, 6]


def test_the_short_look_gives_the_same_chances_for_what_it_looks_at(world, trained, history_of):
    """On the list, touched, or next to what was touched; anything else has none."""
    model, folder, _ = trained
    served = ServingModel.load(folder)
    n = len(served.item_ids)
    only = Shortlist(np.arange(n) == served.index["item-1"], np.zeros(n, bool))
    short = replace(served, short=ShortRows(only, served.category_of, served.is_listed))
    history, now = history_of(world, 7), world.end_ms
    vector = model.user_vectors[model.user_ids.index("c_7")]
    exact = served.score(vector, history, now_ms=now)
    found = short.score(vector, history, now_ms=now, is_short=True)
    wanted = {served.index["item-1"], *served.around(served.window(history, now)).tolist()}
    assert set(found.rows.tolist()) == wanted
    assert np.abs(found.values - exact[found.rows]).max() < 1e-6
    assert np.array_equal(short.score(vector, history, now_ms=now), exact, equal_nan=True)
    same = served.score(vector, history, now_ms=now, is_short=True)
    assert np.array_equal(same, exact, equal_nan=True), "without a shortlist all is looked at"


def test_few_items_that_come_into_question_are_looked_at_alone(world, trained, history_of):
    """With the chances that they have among all; where they are many, all are looked at."""
    model, folder, _ = trained
    served = ServingModel.load(folder)
    history, now = history_of(world, 7), world.end_ms
    vector = model.user_vectors[model.user_ids.index("c_7")]
    exact = served.score(vector, history, now_ms=now)
    few = np.arange(len(served.item_ids)) % 5 == 0
    found = served.score(vector, history, now_ms=now, among=few, is_short=True)
    assert found.rows.tolist() == np.flatnonzero(few & served.is_listed).tolist()
    assert np.abs(found.values - exact[found.rows]).max() < 1e-6
    assert np.array_equal(served.score(vector, history, now_ms=now, among=~few), exact, True)


@pytest.mark.parametrize("limit", [0, 3, 100])
def test_the_best_of_a_short_look_are_the_best_of_what_was_looked_at(trained, limit):
    """In the same total order, with the same exclusions."""
    served = ServingModel.load(trained[1])
    rng = np.random.default_rng(0)
    n = len(served.item_ids)
    rows = np.sort(rng.choice(n, 20, replace=False))
    values = np.round(rng.random(20), 1)
    values[3] = np.nan
    whole = np.full(n, np.nan)
    whole[rows] = values
    out = [served.item_ids[row] for row in rows[:2]]
    among = np.arange(n) % 3 > 0
    for mask in (None, among):
        short = served.top(Scored(rows, values), limit, out, mask)
        assert short == served.top(whole, limit, out, mask)


def test_a_shortlist_is_part_of_the_folder_and_of_its_hashes(trained, tmp_path):
    folder = shutil.copytree(trained[1], tmp_path / "model")
    third = np.arange(len(ServingModel.load(folder).item_ids)) % 3 == 0
    write_shortlist(folder, Shortlist(third, ~third))
    kept = read_shortlist(folder)
    assert np.array_equal(kept.for_all, third)
    assert np.array_equal(kept.for_own, ~third)
    assert ServingModel.load(folder).short is not None
    (folder / SHORTLIST).write_bytes(b"nonsense")
    with pytest.raises(ModelBroken, match="shortlist"):
        ServingModel.load(folder)


def test_a_shortlist_of_before_categories_were_told_apart_is_for_all(trained, tmp_path):
    folder = shutil.copytree(trained[1], tmp_path / "model")
    third = np.arange(len(ServingModel.load(folder).item_ids)) % 3 == 0
    np.savez_compressed(folder / SHORTLIST, is_in=third)
    kept = read_shortlist(folder)
    assert np.array_equal(kept.for_all, third)
    assert not kept.for_own.any()

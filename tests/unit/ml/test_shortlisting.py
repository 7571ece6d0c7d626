"""A shortlist holds what anybody is shown, or does not answer."""

from dataclasses import replace

import numpy as np
import pytest

from ml import shortlisting
from ml.errors import ModelBroken
from ml.serving import ServingModel
from ml.serving.store import SHORTLIST, write_shortlist
from ml.shortlisting import Shortlist, shortlist


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
    model, folder, _ = trained
    served = ServingModel.load(folder)
    found = shortlist(served, world, rows_of(model), model.user_vectors)
    assert 5 <= found.is_in.sum() < len(served.item_ids)
    assert 0.5 < found.recall <= 1.0


def test_a_small_shop_needs_none(world, trained):
    model, folder, _ = trained
    assert shortlist(ServingModel.load(folder), world, rows_of(model), model.user_vectors) is None


def test_only_a_shortlist_that_misses_little_and_is_short_may_answer():
    some = np.arange(100) < 20
    assert Shortlist(some, 0.99).is_good
    assert not Shortlist(some, 0.97).is_good
    assert not Shortlist(~some, 1.0).is_good


def test_the_short_look_gives_the_same_chances_for_what_it_looks_at(
    world, trained, history_of, tmp_path
):
    """On the list, touched, or next to what was touched; anything else has none."""
    model, folder, _ = trained
    served = ServingModel.load(folder)
    is_in = np.zeros(len(served.item_ids), bool)
    is_in[served.index["item-1"]] = True
    short, history = replace(served, is_short=is_in), history_of(world, 7)
    vector = model.user_vectors[model.user_ids.index("c_7")]
    exact = served.score(vector, history, now_ms=world.end_ms)
    found = short.score(vector, history, now_ms=world.end_ms, is_short=True)
    looked = ~np.isnan(found)
    assert np.array_equal(looked, (is_in | served.around(history, world.end_ms)) & served.is_listed)
    assert np.abs(found[looked] - exact[looked]).max() < 1e-6
    assert np.array_equal(short.score(vector, history, now_ms=world.end_ms), exact, equal_nan=True)
    same = served.score(vector, history, now_ms=world.end_ms, is_short=True)
    assert np.array_equal(same, exact, equal_nan=True), "without a shortlist all is looked at"


def test_a_shortlist_is_part_of_the_folder_and_of_its_hashes(trained, tmp_path):
    import shutil

    folder = shutil.copytree(trained[1], tmp_path / "model")
    is_in = np.arange(len(ServingModel.load(folder).item_ids)) % 3 == 0
    write_shortlist(folder, is_in)
    assert np.array_equal(ServingModel.load(folder).is_short, is_in)
    (folder / SHORTLIST).write_bytes(b"nonsense")
    with pytest.raises(ModelBroken, match="shortlist"):
        ServingModel.load(folder)

"""Taking people out of a model's folder."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ml import delivered
from ml.forgetting import forget, people_in
from ml.serving import ServingModel
from ml.serving.store import MANIFEST, read_manifest


@pytest.fixture
def folder(trained, tmp_path):
    """A model folder with rows of people."""
    copy = shutil.copytree(trained[1], tmp_path / "m-1-abc")
    delivered.keep(replace(trained[0], folder=copy))
    return copy


def test_rows_of_some_people_go_and_the_others_keep_their_vectors(folder, trained):
    """The folder stays whole: it can be served and taken up."""
    model = trained[0]
    gone = set(model.user_ids[1:3])
    assert forget(folder, gone) == 2
    left = delivered.find(folder, "m-1")
    assert left.user_ids == [one for one in model.user_ids if one not in gone]
    rows = [row for row, one in enumerate(model.user_ids) if one not in gone]
    np.testing.assert_array_equal(left.user_vectors, model.user_vectors[rows])
    assert ServingModel.load(folder).version
    assert not set(people_in(folder)) & gone


def test_nothing_is_written_where_nobody_is_to_go(folder):
    """Strangers, a second time, a folder that is under way or not there."""
    before = (folder / MANIFEST).stat().st_mtime_ns
    assert forget(folder, {"c_nobody"}) == 0
    assert (folder / MANIFEST).stat().st_mtime_ns == before
    assert read_manifest(folder)
    (folder / MANIFEST).unlink()
    assert forget(folder, set(people_in(folder))) == 0
    assert forget(folder.parent / "nothing", {"c_1"}) == 0
    assert people_in(folder.parent / "nothing") == []

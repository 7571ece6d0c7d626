"""What a finished training leaves is whole, or is not taken up."""

import shutil

import numpy as np
import pytest

from ml import delivered
from ml.serving import ServingModel
from ml.serving.store import DELIVERY


@pytest.fixture
def left(trained, tmp_path):
    """The folder of a killed try, and the model that it had trained."""
    from dataclasses import replace

    folder = shutil.copytree(trained[1], tmp_path / "m-1-abc")
    model = replace(trained[0], folder=folder)
    delivered.keep(model)
    return folder, model


def test_everything_that_goes_into_the_graph_comes_back(left):
    """Under the name of the try that takes it up."""
    folder, model = left
    found = delivered.find(folder, "m-1-abc-2")
    assert (found.version, found.folder, found.as_of_ms) == ("m-1-abc-2", folder, model.as_of_ms)
    assert (found.metrics, found.champion) == (model.metrics, model.champion)
    assert (found.user_ids, found.item_ids) == (model.user_ids, model.item_ids)
    assert np.array_equal(found.user_vectors, model.user_vectors)
    assert np.array_equal(found.item_vectors, model.item_vectors)
    assert found.similar == model.similar
    assert ServingModel.load(folder).version == "m-1-abc-2"


def test_what_was_killed_before_its_end_is_not_taken_up(trained, left, tmp_path):
    """Without the last file, or with a damaged one, or with no folder at all."""
    folder, _ = left
    early = shutil.copytree(trained[1], tmp_path / "early")
    assert delivered.find(early, "v") is None
    (folder / DELIVERY).write_bytes(b"half")
    assert delivered.find(folder, "v") is None
    assert delivered.find(tmp_path / "nothing", "v") is None

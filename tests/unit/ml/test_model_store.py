"""A model folder that was touched is not served."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ml.errors import ModelBroken
from ml.serving import ServingModel
from ml.serving.store import ARRAYS, MANIFEST, read_arrays, write_manifest


@pytest.fixture
def folder(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained[1], tmp_path / "copy"))


def rewrite(folder: Path, **changes: np.ndarray) -> None:
    """Change arrays and sign the folder again, as a broken exporter would."""
    arrays = read_arrays(folder) | changes
    np.savez(folder / ARRAYS, **arrays)
    manifest = json.loads((folder / MANIFEST).read_text())
    write_manifest(folder, manifest)


def test_a_whole_folder_loads(folder):
    model = ServingModel.load(folder)
    assert model.version == "v1"
    assert model.metrics["test_paper_ap"] > 0
    assert model.categories == ("colour/0", "colour/1")


def test_a_changed_file_is_refused(folder):
    with (folder / ARRAYS).open("ab") as out:
        out.write(b"x")
    with pytest.raises(ModelBroken, match="was changed"):
        ServingModel.load(folder)


def test_a_missing_file_is_refused(folder):
    (folder / "weights.pt").unlink()
    with pytest.raises(ModelBroken, match="missing"):
        ServingModel.load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": {}, "format": 99}'])
def test_a_manifest_that_says_nothing_is_refused(folder, text):
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ModelBroken):
        ServingModel.load(folder)


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(ModelBroken, match="manifest"):
        ServingModel.load(tmp_path)


def test_values_that_are_not_finite_are_refused(folder):
    embedding = read_arrays(folder)["embedding"]
    embedding[0, 0] = np.nan
    rewrite(folder, embedding=embedding)
    with pytest.raises(ModelBroken, match="not finite"):
        ServingModel.load(folder)


def test_pickles_are_never_opened(folder):
    rewrite(folder, slope=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelBroken, match="cannot be read"):
        ServingModel.load(folder)


def test_a_lacking_array_is_refused(folder):
    arrays = read_arrays(folder)
    del arrays["embedding"]
    np.savez(folder / ARRAYS, **arrays)
    write_manifest(folder, json.loads((folder / MANIFEST).read_text()))
    with pytest.raises(ModelBroken, match="embedding"):
        ServingModel.load(folder)


def test_a_manifest_cannot_name_files_elsewhere(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["../secret"] = "0"
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelBroken, match="missing"):
        ServingModel.load(folder)

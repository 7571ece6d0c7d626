"""Looking at short codes first finds nearly what looking at everything finds, or is not done."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from ml import codes as making
from ml.codes import codes
from ml.errors import ModelBroken
from ml.serving import ServingModel
from ml.serving.codes import INDEX, ROWS, Codes
from ml.serving.store import write_manifest

DIM = 16


@pytest.fixture
def small_numbers(monkeypatch):
    """A few thousand items are many."""
    monkeypatch.setattr(making, "LARGE", 1_000)
    monkeypatch.setattr(making, "NEAREST", 20)
    monkeypatch.setattr(making, "JUDGES", 50)
    monkeypatch.setattr(making, "DEEP", (50, 100, 200))


def kinds_of_items(items: int = 4_000, kinds: int = 80, apart: float = 0.15) -> np.ndarray:
    """Vectors around some directions, as goods of some kinds are."""
    rng = np.random.default_rng(1)
    middle = rng.normal(size=(kinds, DIM))
    return unit(middle[rng.integers(0, kinds, items)] + apart * rng.normal(size=(items, DIM)))


def unit(found: np.ndarray) -> np.ndarray:
    """Each row at length 1."""
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def by_chance(items: int = 4_000) -> np.ndarray:
    """Vectors in all directions, as of goods of which nobody knows much."""
    return unit(np.random.default_rng(0).normal(size=(items, DIM)))


def test_few_items_need_no_codes():
    assert codes(kinds_of_items(100), np.arange(100)) is None


@pytest.mark.parametrize("vectors", [kinds_of_items(), by_chance()], ids=["kinds", "by chance"])
def test_a_small_part_looked_at_exactly_holds_nearly_all_of_the_nearest(small_numbers, vectors):
    """Whether or not there is any order among the items."""
    rows = np.arange(0, len(vectors), 2)
    made = codes(vectors, rows)
    assert made is not None
    held = []
    for one in range(0, len(vectors), 40):
        near = made.near(vectors[one], vectors)
        assert len(near.rows) == made.deep <= len(rows) / 10
        assert np.isin(near.rows, rows).all()
        assert np.allclose(near.values, vectors[near.rows] @ vectors[one], atol=1e-6)
        exact = rows[np.argsort(-(vectors[rows] @ vectors[one]))[:20]]
        held.append(np.isin(exact, near.rows).mean())
    assert np.mean(held) > 0.95


def test_items_that_are_alike_stand_for_one_another(small_numbers):
    """Of a thousand goods with one vector, any twenty are the nearest."""
    vectors = np.repeat(by_chance(4), 1_000, axis=0)
    made = codes(vectors, np.arange(len(vectors)))
    assert made is not None
    assert made.near(vectors[7], vectors).values == pytest.approx(np.ones(made.deep), abs=1e-6)


def test_codes_that_miss_too_much_are_not_used(small_numbers, monkeypatch):
    monkeypatch.setattr(making, "DEEP", (20,))
    assert codes(by_chance(), np.arange(4_000)) is None


def test_codes_come_back_from_their_files(small_numbers, tmp_path):
    vectors = kinds_of_items()
    made = codes(vectors, np.arange(len(vectors)))
    made.save(tmp_path)
    again = Codes.load(tmp_path)
    assert again.deep == made.deep
    same = again.near(vectors[7], vectors)
    assert np.array_equal(same.rows, made.near(vectors[7], vectors).rows)


@pytest.mark.parametrize("broken", [INDEX, ROWS])
def test_a_damaged_file_is_seen(small_numbers, tmp_path, broken):
    codes(kinds_of_items(), np.arange(4_000)).save(tmp_path)
    (tmp_path / broken).write_bytes(b"nonsense")
    with pytest.raises(ModelBroken, match="codes"):
        Codes.load(tmp_path)


def test_a_missing_index_is_seen(small_numbers, tmp_path):
    codes(kinds_of_items(), np.arange(4_000)).save(tmp_path)
    (tmp_path / INDEX).unlink()
    with pytest.raises(ModelBroken, match="codes"):
        Codes.load(tmp_path)


def test_codes_of_other_items_are_seen(small_numbers, tmp_path):
    codes(kinds_of_items(), np.arange(4_000)).save(tmp_path)
    np.savez(tmp_path / ROWS, rows=np.arange(3_000), deep=np.array(50))
    with pytest.raises(ModelBroken, match="codes"):
        Codes.load(tmp_path)


def test_a_model_with_codes_names_the_same_items_as_one_without(trained, tmp_path, monkeypatch):
    """And looks at everything where more is asked for than is looked at exactly."""
    exact = ServingModel.load(trained[1])
    folder = shutil.copytree(trained[1], tmp_path / "model")
    listed = np.flatnonzero(exact.is_listed)
    half = listed[: len(listed) // 2]
    for name, number in (("LARGE", 1), ("NEAREST", 5), ("JUDGES", 5), ("DEEP", (len(half),))):
        monkeypatch.setattr(making, name, number)
    codes(exact.direction, half).save(folder)
    write_manifest(folder, _manifest(folder))
    served = ServingModel.load(folder)
    among = {exact.item_ids[row] for row in half.tolist()}
    wanted = [one for one in exact.similar("item-2", 48) if one[0] in among]
    found = served.similar("item-2", 10)
    assert [name for name, _ in found] == [name for name, _ in wanted[:10]]
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted[:10]])
    assert served.similar("item-2", 48) == exact.similar("item-2", 48)


def test_a_small_shop_does_not_load_the_library(trained):
    told = (
        f"import sys; from ml.serving import ServingModel; ServingModel.load({str(trained[1])!r})"
    )
    told += "; assert 'faiss' not in sys.modules"
    subprocess.run([sys.executable, "-c", told], check=True)


def _manifest(folder):
    told = json.loads((folder / "manifest.json").read_text())
    return {name: value for name, value in told.items() if name not in ("files", "format")}

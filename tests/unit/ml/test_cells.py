"""Looking into a few cells finds nearly what looking at everything finds, or is not done."""

import json
import shutil

import numpy as np
import pytest

from ml import cells as making
from ml.cells import cells
from ml.errors import ModelBroken
from ml.serving import ServingModel
from ml.serving.cells import CELLS, VECTORS, Cells
from ml.serving.store import write_manifest

DIM = 16


@pytest.fixture
def small_numbers(monkeypatch):
    """A few thousand items are many."""
    monkeypatch.setattr(making, "LARGE", 1_000)
    monkeypatch.setattr(making, "NEAREST", 20)
    monkeypatch.setattr(making, "JUDGES", 50)


def kinds_of_items(items: int = 4_000, kinds: int = 80) -> np.ndarray:
    """Vectors around some directions, as goods of some kinds are."""
    rng = np.random.default_rng(1)
    middle = rng.normal(size=(kinds, DIM))
    found = middle[rng.integers(0, kinds, items)] + 0.15 * rng.normal(size=(items, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_few_items_need_no_cells():
    assert cells(kinds_of_items(100), np.arange(100)) is None


def test_a_tenth_of_the_cells_holds_nearly_all_of_the_nearest(small_numbers):
    vectors = kinds_of_items()
    rows = np.arange(0, len(vectors), 2)
    made = cells(vectors, rows)
    assert made is not None
    assert made.probes <= len(made.centres) / 10
    assert np.array_equal(np.sort(made.rows), rows)
    assert np.array_equal(made.vectors, vectors[made.rows])
    held = []
    for one in range(0, len(vectors), 40):
        near = made.near(vectors[one])
        assert len(near.rows) < len(rows) / 2
        assert np.allclose(near.values, vectors[near.rows] @ vectors[one], atol=1e-6)
        exact = rows[np.argsort(-(vectors[rows] @ vectors[one]))[:20]]
        found = near.rows[np.argsort(-near.values)[:20]]
        held.append(np.isin(exact, found).mean())
    assert np.mean(held) > 0.95


def test_cells_that_miss_too_much_are_not_used(small_numbers):
    """Among directions by chance nothing is much nearer than anything else."""
    vectors = np.random.default_rng(0).normal(size=(2_000, 64)).astype(np.float32)
    assert cells(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.arange(2_000)) is None


def test_cells_come_back_from_their_files(small_numbers, tmp_path):
    vectors = kinds_of_items()
    made = cells(vectors, np.arange(len(vectors)))
    made.save(tmp_path)
    again = Cells.load(tmp_path)
    assert isinstance(again.vectors, np.memmap)
    assert np.array_equal(again.near(vectors[7]).rows, made.near(vectors[7]).rows)
    (tmp_path / CELLS).write_bytes(b"nonsense")
    with pytest.raises(ModelBroken, match="cells"):
        Cells.load(tmp_path)


def test_a_model_with_cells_names_the_same_items_as_one_without(trained, tmp_path):
    """And looks at everything where more is asked for than is in the cells."""
    exact = ServingModel.load(trained[1])
    folder = shutil.copytree(trained[1], tmp_path / "model")
    listed = np.flatnonzero(exact.is_listed)
    half = listed[: len(listed) // 2]
    colour = (half % 2).astype(np.int64)
    order = np.argsort(colour, kind="stable")
    made = Cells(
        vectors=exact.direction[half[order]],
        rows=half[order],
        centres=np.stack([exact.direction[half[colour == k]].mean(axis=0) for k in (0, 1)]),
        start=np.array([0, np.sum(colour == 0), len(half)]),
        probes=2,
    )
    made.save(folder)
    write_manifest(folder, _manifest(folder))
    served = ServingModel.load(folder)
    among = {exact.item_ids[row] for row in half.tolist()}
    wanted = [one for one in exact.similar("item-2", 48) if one[0] in among]
    found = served.similar("item-2", 10)
    assert [name for name, _ in found] == [name for name, _ in wanted[:10]]
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted[:10]])
    assert served.similar("item-2", 48) == exact.similar("item-2", 48)


def test_a_missing_vector_file_is_seen(small_numbers, tmp_path):
    made = cells(kinds_of_items(), np.arange(4_000))
    made.save(tmp_path)
    (tmp_path / VECTORS).unlink()
    with pytest.raises(ModelBroken, match="cells"):
        Cells.load(tmp_path)


def _manifest(folder):
    told = json.loads((folder / "manifest.json").read_text())
    return {name: value for name, value in told.items() if name not in ("files", "format")}

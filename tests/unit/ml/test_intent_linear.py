"""Linear classifiers: scales, missing values, and margins that become chances."""

import numpy as np
import pytest

from ml.calibration import sigmoid
from ml.errors import ModelBroken, NotEnoughData
from ml.intent.linear import FILE, Column, LinearSvm, Logistic, Scale
from ml.intent.table import Table


def table(values, label, weight=None):
    """Pairs with columns a, b, ..."""
    values = np.asarray(values, np.float32)
    n = len(values)
    return Table(
        cutoff=np.zeros(n, np.int64),
        user=np.arange(n, dtype=np.int32),
        item=np.zeros(n, np.int32),
        label=np.asarray(label, bool),
        weight=np.ones(n, np.float32) if weight is None else np.asarray(weight, np.float32),
        values=values,
        names=tuple("abcdef"[: values.shape[1]]),
    )


def rare(n=4000, seed=0):
    """One pair in fifty is bought; the first column says which are likelier."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3))
    return table(values, rng.random(n) < sigmoid(1.5 * values[:, 0] - 5))


def test_scale_leaves_missing_values_out_and_says_where_they_were():
    values = np.array([[1.0, np.nan], [3.0, 5.0], [5.0, 7.0]], np.float32)
    scale = Scale.fit(values, np.ones(3, np.float32))
    scaled = scale.apply(values)
    assert scaled.shape == (3, 3)
    assert scaled[:, 0].mean() == pytest.approx(0)
    assert scaled[:, 1].tolist() == pytest.approx([0, -1, 1])
    assert scaled[:, 2].tolist() == [1, 0, 0]


def test_scale_counts_rows_by_weight():
    values = np.array([[0.0], [4.0]], np.float32)
    weighted = Scale.fit(values, np.array([3, 1], np.float32))
    repeated = Scale.fit(values[[0, 0, 0, 1]], np.ones(4, np.float32))
    assert weighted.mean == pytest.approx(repeated.mean)
    assert weighted.deviation == pytest.approx(repeated.deviation)


def test_columns_that_say_nothing_do_no_harm():
    values = np.array([[np.nan, 2.0], [np.nan, 2.0]], np.float32)
    scale = Scale.fit(values, np.ones(2, np.float32))
    assert scale.apply(values).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("make", [Logistic, LinearSvm])
def test_rare_purchases_are_given_small_chances(make):
    model = make()
    model.fit(rare())
    said = sigmoid(model.logits(rare(seed=1)))
    assert said.mean() == pytest.approx(rare(seed=1).label.mean(), abs=0.01)
    assert said.max() > 3 * said.mean()


@pytest.mark.parametrize("make", [Logistic, LinearSvm])
def test_a_column_that_goes_with_purchases_has_a_positive_weight(make):
    model = make()
    model.fit(rare())
    low, high = model.logits(table([[-2, 0, 0], [2, 0, 0]], [False, True]))
    assert high > low


@pytest.mark.parametrize("make", [Logistic, LinearSvm])
def test_an_untrained_model_says_so(make):
    with pytest.raises(NotEnoughData):
        make().logits(rare(10))


def test_a_stored_model_that_lacks_a_part_is_broken(tmp_path):
    np.savez(tmp_path / FILE, mean=np.zeros(3))
    with pytest.raises(ModelBroken):
        Logistic.load(tmp_path)


def test_one_column_keeps_its_order():
    asked = table([[1.0], [3.0], [2.0]], [False, True, False])
    model = Column("a")
    model.fit(asked)
    assert np.argsort(model.logits(asked)).tolist() == [0, 2, 1]


def test_one_column_can_be_turned_and_filled():
    seen = table([[1.0], [3.0], [2.0], [np.nan]], [True, False, False, False])
    model = Column("a", sign=-1.0, missing=9.0)
    model.fit(seen)
    assert np.argsort(model.logits(seen)).tolist() == [3, 1, 2, 0]

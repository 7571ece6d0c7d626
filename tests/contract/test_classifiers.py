"""What every intent classifier has in common, whatever it is made of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ml.calibration import sigmoid
from ml.errors import ModelBroken, NotEnoughData
from ml.evaluation.metrics import roc_auc
from ml.intent.fit_stack import StackSettings, fit_stack
from ml.intent.linear import Column, LinearSvm, Logistic
from ml.intent.stack import Stack
from ml.intent.table import Classifier, Table
from ml.intent.trees import Trees, TreeSettings


class FittedStack:
    """``fit_stack`` in the shape of a classifier."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._settings = StackSettings(
            networks=1, share=0.5, tree=TreeSettings(rounds=60), epochs=1, least_steps=300
        )

    def fit(self, table: Table, *, validation: Table | None = None) -> None:
        self._stack = fit_stack(
            table, validation=validation, settings=self._settings, seed=self._seed
        )

    def logits(self, table: Table) -> NDArray[np.float64]:
        return self._stack.logits(table)

    def save(self, folder: Path) -> None:
        self._stack.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Stack:
        return Stack.load(folder)


CLASSIFIERS: dict[str, Callable[[int], Classifier]] = {
    "column": lambda seed: Column("rule"),
    "logistic": lambda seed: Logistic(),
    "svm": lambda seed: LinearSvm(seed=seed),
    "stack": FittedStack,
    "trees": lambda seed: Trees(seed=seed, settings=TreeSettings(rounds=60)),
}


def table(n: int = 3000, seed: int = 0, *, share: float | None = None) -> Table:
    """Pairs whose label follows the first column; the second one is mostly missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 5)).astype(np.float32)
    label = rng.random(n) < sigmoid(2 * values[:, 0] - 2)
    values[rng.random(n) < 0.7, 1] = np.nan
    values[:, 4] = np.nan
    made = Table(
        cutoff=np.zeros(n, np.int64),
        user=(np.arange(n) // 10).astype(np.int32),
        item=(np.arange(n) % 50).astype(np.int32),
        label=label,
        weight=np.ones(n, np.float32),
        values=values,
        names=("rule", "rare", "noise", "more", "never"),
    )
    if share is None:
        return made
    kept = made.label | (rng.random(n) < share)
    weight = np.where(made.label, 1.0, 1.0 / share).astype(np.float32)
    return replace(made, weight=weight).take(kept)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums over several threads do not repeat to the last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=sorted(CLASSIFIERS))
def make(request):
    """How each classifier of the table is made, from a seed."""
    return CLASSIFIERS[request.param]


@pytest.fixture
def fitted(make):
    """Each classifier of the table, trained."""
    model = make(1)
    model.fit(table())
    return model


def test_one_finite_logit_per_pair_also_where_columns_are_missing(fitted):
    asked = table(400, 1)
    gone = replace(asked, values=np.full_like(asked.values, np.nan))
    for one in (asked, gone):
        logits = fitted.logits(one)
        assert logits.shape == (400,)
        assert logits.dtype == np.float64
        assert np.isfinite(logits).all()


def test_no_pairs_have_no_logits(fitted):
    assert fitted.logits(table(10, 1).take(np.zeros(10, bool))).shape == (0,)


def test_a_made_rule_is_learned(fitted):
    asked = table(2000, 2)
    assert roc_auc(asked.label, fitted.logits(asked)) > 0.8


def test_the_same_seed_gives_the_same_answer(make):
    first, second = make(3), make(3)
    first.fit(table())
    second.fit(table())
    assert np.array_equal(first.logits(table(300, 4)), second.logits(table(300, 4)))


def test_the_order_and_number_of_pairs_that_are_asked_about_do_not_matter(fitted):
    asked = table(300, 5)
    order = np.random.default_rng(0).permutation(300)
    whole = fitted.logits(asked)
    assert np.allclose(fitted.logits(asked.take(order)), whole[order], rtol=1e-5, atol=1e-5)
    alone = [fitted.logits(asked.take(np.array([row])))[0] for row in range(5)]
    assert np.allclose(alone, whole[:5], rtol=1e-5, atol=1e-5)


def test_who_asks_and_what_came_of_it_do_not_matter(fitted):
    asked = table(300, 6)
    turned = replace(asked, label=~asked.label, user=asked.user[::-1].copy())
    assert np.array_equal(fitted.logits(asked), fitted.logits(turned))


def test_on_its_training_pairs_it_is_calibrated_in_the_mean(fitted):
    seen = table()
    assert sigmoid(fitted.logits(seen)).mean() == pytest.approx(seen.label.mean(), abs=0.03)


def test_sampled_negatives_count_by_their_weight(make):
    model = make(1)
    model.fit(table(12_000, share=0.25))
    asked = table(6000, 7)
    assert sigmoid(model.logits(asked)).mean() == pytest.approx(asked.label.mean(), abs=0.04)


def test_one_class_is_not_enough(make):
    asked = table(300)
    for label in (np.zeros(300, bool), np.ones(300, bool)):
        with pytest.raises(NotEnoughData):
            make(1).fit(replace(asked, label=label))


def test_validation_pairs_of_one_class_do_no_harm(make):
    model = make(1)
    model.fit(table(), validation=replace(table(200, 8), label=np.zeros(200, bool)))
    assert np.isfinite(model.logits(table(50, 9))).all()


def test_what_was_saved_answers_alike(fitted, tmp_path):
    if not hasattr(fitted, "save"):
        pytest.skip("is trained in no time and not stored")
    fitted.save(tmp_path / "model")
    assert not list((tmp_path / "model").rglob("*.pkl"))
    loaded = type(fitted).load(tmp_path / "model")
    asked = table(300, 10)
    assert np.allclose(loaded.logits(asked), fitted.logits(asked), rtol=1e-6, atol=1e-6)


def test_a_missing_file_is_a_broken_model(fitted, tmp_path):
    if not hasattr(fitted, "save"):
        pytest.skip("is trained in no time and not stored")
    with pytest.raises(ModelBroken):
        type(fitted).load(tmp_path / "nowhere")

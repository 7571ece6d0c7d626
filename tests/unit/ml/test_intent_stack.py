"""The parts that turn columns into chances: normal scores, trees, networks, their mean."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.errors import ModelBroken, NotEnoughData
from ml.evaluation.metrics import roc_auc
from ml.intent.fit_stack import StackSettings, fit_stack
from ml.intent.mlp import Inputs, MlpSettings, _Mlp, train
from ml.intent.network import Network
from ml.intent.normal import EDGE, NormalScores
from ml.intent.stack import Stack
from ml.intent.table import Table
from ml.intent.trees import Trees, TreeSettings

KINDS = np.array([0, 0, 1, 1, -1], np.int32)
QUICK = TreeSettings(rounds=20, leaf_rows=20)


def questions(n: int = 3000, seed: int = 0) -> Table:
    """Pairs whose first column tells, whose second sometimes lacks, and whose third is noise."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3)).astype(np.float32)
    item = rng.integers(0, 5, n).astype(np.int32)
    label = values[:, 0] + (item == 1) + rng.normal(size=n) > 1.2
    values[rng.random(n) < 0.3, 1] = np.nan
    return Table(
        cutoff=np.zeros(n, np.int64),
        user=rng.integers(0, 50, n).astype(np.int32),
        item=item,
        label=label,
        weight=np.where(label, 1, 2).astype(np.float32),
        values=values,
        names=("tells", "lacks", "noise"),
    )


@pytest.fixture(scope="module")
def stack() -> Stack:
    """Two trees and two networks that know the made-up rule."""
    torch.set_num_threads(1)
    how = StackSettings(trees=2, networks=2, tree=QUICK, least_steps=300)
    return fit_stack(questions(), validation=questions(seed=1), kinds=KINDS, settings=how)


def test_normal_scores_keep_the_order_and_end_at_the_edge() -> None:
    values = np.arange(1000, dtype=np.float32)[:, None] ** 2
    scores = NormalScores.fit(values, np.random.default_rng(0)).apply(values)
    assert (np.diff(scores[:, 0]) >= 0).all()
    assert scores.min() == pytest.approx(-EDGE)
    assert abs(float(scores.mean())) < 0.02


def test_columns_that_lack_get_a_column_that_says_so() -> None:
    found = NormalScores.fit(questions().values, np.random.default_rng(0))
    assert found.missing.tolist() == [1]
    row = found.apply(np.array([[0.0, np.nan, 0.0]], np.float32))
    assert row[0, 1] == 0
    assert row[0, 3] == 1


def test_a_column_that_is_always_the_same_or_never_there_is_no_trouble() -> None:
    values = np.stack([np.ones(50), np.full(50, np.nan)], axis=1).astype(np.float32)
    assert np.isfinite(NormalScores.fit(values, np.random.default_rng(0)).apply(values)).all()


def test_the_stack_beats_noise_on_new_questions(stack: Stack) -> None:
    later = questions(seed=2)
    assert roc_auc(later.label, stack.logits(later)) > 0.8
    assert 0 <= stack.share <= 1


def test_numpy_answers_as_torch_does() -> None:
    table = questions(500)
    inputs = Inputs.of(table, KINDS, np.random.default_rng(0))
    network = train(inputs, seed=1, settings=MlpSettings(least_steps=30, batch=128))
    net = _Mlp(inputs.x.shape[1], len(inputs.kinds), inputs.kinds, MlpSettings()).eval()
    state = {
        "item.weight": network.item,
        "kind.weight": network.kind,
        "first.weight": network.first.T,
        "first.bias": network.first_bias,
        "norm.weight": network.norm_gain,
        "norm.bias": network.norm_bias,
        "second.weight": network.second.T,
        "second.bias": network.second_bias,
        "out.weight": network.out[None],
        "out.bias": network.out_bias,
        "line.weight": network.line[None],
    }
    net.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in state.items()}, strict=False)
    with torch.no_grad():
        expected = net(inputs.x, inputs.row).numpy()
    np.testing.assert_allclose(network.logits(table), expected, atol=1e-5)


def test_equal_seeds_learn_the_same_and_others_do_not() -> None:
    torch.set_num_threads(1)
    table, how = questions(600), MlpSettings(least_steps=20, batch=128)
    inputs = Inputs.of(table, KINDS, np.random.default_rng(0))
    first, again, other = (train(inputs, seed=s, settings=how).logits(table) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_saved_and_loaded_it_says_the_same(stack: Stack, tmp_path: Path) -> None:
    stack.save(tmp_path)
    loaded, table = Stack.load(tmp_path), questions(seed=3)
    np.testing.assert_allclose(loaded.logits(table), stack.logits(table), atol=1e-12)


def test_loading_and_answering_need_no_torch(stack: Stack, tmp_path: Path) -> None:
    stack.save(tmp_path)
    code = (
        "import sys, pathlib; from ml.intent.stack import Stack; "
        f"Stack.load(pathlib.Path({str(tmp_path)!r})); print('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_a_table_with_more_columns_in_another_order_gives_the_same(stack: Stack) -> None:
    table = questions(200, seed=4)
    mixed = Table(
        cutoff=table.cutoff,
        user=table.user,
        item=table.item,
        label=table.label,
        weight=table.weight,
        values=np.concatenate([table.values[:, ::-1], table.values[:, :1]], axis=1),
        names=("noise", "lacks", "tells", "more"),
    )
    np.testing.assert_array_equal(stack.logits(mixed), stack.logits(table))
    with pytest.raises(NotEnoughData, match="tells"):
        stack.logits(table.only({"lacks", "noise"}))


def test_items_that_training_had_not_seen_are_answered(stack: Stack) -> None:
    table = questions(20, seed=5)
    table.item[:] = 1000
    assert np.isfinite(stack.logits(table)).all()


def test_one_class_alone_teaches_nothing() -> None:
    table = questions(100)
    with pytest.raises(NotEnoughData):
        Trees().fit(table.take(table.label))
    with pytest.raises(NotEnoughData):
        Inputs.of(table.take(~table.label), None, np.random.default_rng(0))


def test_broken_files_are_named_as_such(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(ModelBroken):
        Stack.load(tmp_path)
    stack.save(tmp_path)
    (tmp_path / "network-0.npz").write_bytes(b"no archive")
    with pytest.raises(ModelBroken):
        Stack.load(tmp_path)
    with pytest.raises(ModelBroken):
        Network.load(tmp_path / "nowhere.npz")


def test_trees_tell_which_columns_they_use() -> None:
    table, trees = questions(), Trees(settings=QUICK)
    trees.fit(table)
    assert next(iter(trees.gains(table.names))) == "tells"


def test_trees_of_several_seeds_are_those_of_each_alone() -> None:
    """They share the bins of the columns, which no seed decides."""
    table = questions()
    for seed, together in zip((1, 2), Trees.with_seeds(table, QUICK, [1, 2]), strict=True):
        alone = Trees(seed=seed, settings=QUICK)
        alone.fit(table)
        assert np.array_equal(alone.logits(table), together.logits(table))

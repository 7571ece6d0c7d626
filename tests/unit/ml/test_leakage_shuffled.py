"""Where there is nothing to learn, every model scores at chance."""

from dataclasses import replace

import numpy as np
import pytest

from ml.behaviours import PURCHASE
from ml.config import DAY_MS, PaperConfig
from ml.dataset import Interactions
from ml.evaluation.metrics import roc_auc
from ml.evaluation.pools import Pool, moment, touched_pool, training_pool
from ml.evaluation.ranking import Cases, rank_cases
from ml.evaluation.ranking_metrics import summary
from ml.evaluation.splits import cutoffs, time_split
from ml.intent.counters import counter_table
from ml.intent.linear import LinearSvm, Logistic
from ml.intent.table import Table
from ml.intent.trees import Trees
from ml.models import BASELINES
from ml.ranking.ease import EASE
from ml.ranking.item_knn import ItemKNN
from ml.ranking.markov import Markov
from ml.ranking.popular import Popular
from ml.ranking.sequences import Sequences
from ml.ranking.vsknn import VSKNN
from ml.training import train


def noise(positives: int, negatives: int) -> float:
    """Four deviations of the AUC of a coin."""
    return 4 * np.sqrt((positives + negatives + 1) / (12 * positives * negatives))


@pytest.fixture(scope="module")
def coin(world: Interactions) -> Interactions:
    """The checkerboard, except that who buys what is drawn anew for every purchase."""
    rng = np.random.default_rng(11)
    bought = np.flatnonzero(world.code == PURCHASE)
    user, item = world.user.copy(), world.item.copy()
    user[bought] = rng.integers(0, world.n_users, len(bought))
    item[bought] = rng.integers(0, world.n_items, len(bought))
    return replace(world, user=user, item=item)


def test_e10_a_whole_run_on_purchases_by_lot_finds_nothing(coin, small, tmp_path) -> None:
    config = replace(small, max_epochs=3, bootstrap_draws=10)
    found = train(coin, config, folder=tmp_path / "v", version="v").metrics
    positives, pairs = found["test_positives"], found["test_pairs"]
    measured = [name for name in found if name.startswith("test_") and name.endswith("_auc")]
    assert "test_paper_auc" in measured
    for name in measured:
        assert found[name] == pytest.approx(0.5, abs=noise(positives, pairs - positives)), name


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_baselines_on_shuffled_labels_score_at_chance(world, small, name) -> None:
    rng = np.random.default_rng(2)
    at = cutoffs(time_split(world), small)
    learn = Pool.join([training_pool(moment(world, c, small), small, rng) for c in at.train])
    test = Pool.join([touched_pool(moment(world, c, small)) for c in at.test])
    model = BASELINES[name]()
    model.fit(replace(learn, label=rng.permutation(learn.label)))
    label = rng.permutation(test.label)
    limit = noise(int(label.sum()), int((~label).sum()))
    assert roc_auc(label, model.logits(test)) == pytest.approx(0.5, abs=limit)


@pytest.mark.parametrize("make", [Trees, Logistic, LinearSvm])
def test_classifiers_on_shuffled_labels_score_at_chance(world, small, make) -> None:
    rng = np.random.default_rng(3)
    at = cutoffs(time_split(world), small)
    tables = [
        Table.join([counter_table(world, c, horizon_days=small.horizon_days) for c in part])
        for part in (at.train, at.test)
    ]
    learn, test = (replace(one, label=rng.permutation(one.label)) for one in tables)
    model = make()
    model.fit(learn)
    limit = noise(int(test.label.sum()), int((~test.label).sum()))
    assert roc_auc(test.label, model.logits(test)) == pytest.approx(0.5, abs=limit)
    # The same code does find the signal where there is one.
    model.fit(tables[0])
    assert roc_auc(tables[1].label, model.logits(tables[1])) > 0.5 + limit


@pytest.mark.parametrize("make", [Popular, Markov, ItemKNN, EASE, VSKNN])
def test_rankers_on_random_visits_score_at_chance(make) -> None:
    rng = np.random.default_rng(4)
    n_items, cases, k = 200, 1500, 20
    model = make()
    model.fit(Sequences.of(rng.integers(0, n_items, (3000, 5)).tolist(), n_items))
    prefixes = Sequences.of(rng.integers(0, n_items, (cases, 3)).tolist(), n_items)
    asked = Cases.one_each(prefixes, rng.integers(0, n_items, cases))
    found = summary(rank_cases(model, asked), asked, [f"recall@{k}"])[f"recall@{k}"]
    chance = k / n_items
    assert found == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / cases))


def test_the_label_window_alone_decides_the_label(world, small: PaperConfig) -> None:
    """Purchases moved behind the window leave features as they are and take the labels away."""
    cutoff = cutoffs(time_split(world), small).validation[0]
    late = (world.ts >= cutoff) & (world.ts < cutoff + small.horizon_days * DAY_MS)
    moved = Interactions.of(
        user=world.user,
        item=world.item,
        code=world.code,
        ts=world.ts + late * small.horizon_days * DAY_MS,
        price=world.price,
        user_ids=world.user_ids,
        catalogue=world.catalogue,
    )
    first, second = (touched_pool(moment(data, cutoff, small)) for data in (world, moved))
    assert np.array_equal(first.features, second.features)
    assert first.label.any()
    assert not second.label.any()

"""What every model has in common: it learns from a pool, answers finite logits, and repeats."""

import numpy as np
import pytest

from ml.evaluation.metrics import roc_auc
from ml.evaluation.pools import Pool
from ml.features.names import FEATURES
from ml.models import BASELINES


def pool(n: int = 2000, seed: int = 0) -> Pool:
    """Pairs whose label follows the first feature and the item's week."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, len(FEATURES))).astype(np.float32)
    label = rng.random(n) < 1 / (1 + np.exp(2 - 2 * features[:, 0]))
    return Pool(
        cutoff=np.zeros(n, np.int64),
        user=np.arange(n, dtype=np.int32) // 10,
        item=np.arange(n, dtype=np.int32) % 50,
        label=label,
        touched=np.ones(n, bool),
        weight=np.ones(n, np.float32),
        features=features,
        week=np.maximum(features[:, 0] * 3 + 10, 0).astype(np.float32),
    )


@pytest.fixture(params=sorted(BASELINES))
def model(request):
    """Each model of the table, untrained."""
    return BASELINES[request.param]


def test_one_finite_score_per_pair(model):
    one = model()
    one.fit(pool())
    scores = one.logits(pool(500, 1))
    assert scores.shape == (500,)
    assert np.isfinite(scores).all()


def test_fitting_twice_gives_the_same_scores(model):
    first, second = model(), model()
    first.fit(pool())
    second.fit(pool())
    assert np.array_equal(first.logits(pool(99, 2)), second.logits(pool(99, 2)))


def test_a_signal_is_found(model):
    one = model()
    one.fit(pool())
    asked = pool(1000, 3)
    assert roc_auc(asked.label, one.logits(asked)) > 0.7


def test_the_order_of_pairs_does_not_change_their_scores(model):
    one = model()
    one.fit(pool())
    asked = pool(300, 4)
    order = np.random.default_rng(0).permutation(300)
    assert np.array_equal(one.logits(asked.take(order)), one.logits(asked)[order])


def test_scoring_does_not_look_at_labels(model):
    one = model()
    one.fit(pool())
    asked = pool(300, 5)
    turned = Pool(
        **{
            name: getattr(asked, name) if name != "label" else ~asked.label
            for name in ("cutoff", "user", "item", "label", "touched", "weight", "features", "week")
        }
    )
    assert np.array_equal(one.logits(asked), one.logits(turned))

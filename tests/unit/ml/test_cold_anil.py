"""The adapting vector: fixed items, learned steps, one answer per seed."""

import numpy as np
import pytest
import torch

from ml.cold.anil import Anil, AnilConfig
from ml.config import DAY_MS
from ml.errors import NotEnoughData
from ml.ranking.sequences import Sequences

ITEMS = 20
SMALL = AnilConfig(horizon_days=5, dim=8, crowd=20, negatives=64, epochs=4, learning_rate=0.05)


def shop(people=80):
    """Even people take even items, odd people odd ones, one a day."""
    rng = np.random.default_rng(2)
    items = [rng.choice(np.arange(k % 2, ITEMS, 2), 12) for k in range(people)]
    made = Sequences.of(items, ITEMS)
    ts = np.concatenate([np.sort(rng.uniform(0, 20, 12)) for _ in range(people)])
    return Sequences(
        item=made.item, start=made.start, n_items=ITEMS, ts=(ts * DAY_MS).astype(np.int64)
    )


@pytest.fixture(scope="module")
def anil():
    """One that knows the shop."""
    torch.set_num_threads(1)
    one = Anil(SMALL)
    one.fit(shop())
    return one


def test_a_few_steps_find_the_colour(anil):
    """After two even items, even ones come first."""
    scores = anil.scores(Sequences.of([[0, 2], [1, 3]], ITEMS))
    best = np.argsort(-scores, axis=1)[:, :6]
    assert ((best % 2) == np.array([[0], [1]])).mean() > 0.9


def test_without_events_nothing_adapts(anil):
    """All strangers without events get the same, learned, start."""
    scores = anil.scores(Sequences.of([[], [], [4]], ITEMS))
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_the_items_stay_fixed(anil):
    """Learning moves the start, the steps and the bias alone."""
    assert not anil._z.requires_grad
    assert anil._rate.detach().std() > 0


def test_equal_seeds_give_equal_scores():
    """And another seed another answer."""
    prefixes = Sequences.of([[0, 2]], ITEMS)
    found = []
    for seed in (1, 1, 2):
        one = Anil(SMALL, seed)
        one.fit(shop(20))
        found.append(one.scores(prefixes))
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_the_step_is_the_gradient_of_the_softmax(anil):
    """What is written out equals what automatic differentiation finds."""
    prefixes = Sequences.of([[0, 2, 2]], ITEMS)
    user = anil._start.detach().clone().requires_grad_(True)
    crowd, bias = anil._z[anil._crowd], anil._bias[anil._crowd].detach()
    own = anil._z[torch.tensor([0, 2, 2])]
    loss = torch.logsumexp(crowd @ user + bias, 0) - (own @ user).mean()
    loss.backward()
    mean, _ = anil._support(prefixes)
    expected = torch.softmax(crowd @ user.detach() + bias, 0) @ crowd
    assert torch.allclose(-user.grad, mean[0] - expected, atol=1e-5)


def test_nothing_to_learn_from_is_said():
    """As every ranker does."""
    with pytest.raises(NotEnoughData, match="events 0"):
        Anil(SMALL).fit(Sequences.of([[]], 4))

"""The sampled softmax: its value, its gradient, and that the sample stands for all items."""

import numpy as np
import pytest
import torch

from ml.fusion.config import FusionConfig
from ml.fusion.loss import ROWS, Drawn, Negatives, sampled_softmax


def by_torch(users, table, target, drawn, offset=0.0):
    """The same loss, left to torch."""
    positive = (users * table[target]).sum(1)
    negative = users @ table[drawn.item].T - drawn.stands_for + offset
    is_target = torch.from_numpy(drawn.item)[None] == torch.from_numpy(target)[:, None]
    negative = negative.masked_fill(is_target, -torch.inf)
    return torch.logsumexp(torch.cat([positive[:, None], negative], 1), 1) - positive


@pytest.fixture
def world():
    """More positions than one block, few items, so that targets are drawn as negatives."""
    generator = torch.Generator().manual_seed(3)
    rng = np.random.default_rng(3)
    users = torch.randn(ROWS + 30, 8, generator=generator, requires_grad=True)
    table = torch.randn(40, 8, generator=generator, requires_grad=True)
    drawn = Negatives(rng.integers(1, 30, 40), FusionConfig(negatives=25)).draw(rng)
    return users, table, rng.integers(0, 40, ROWS + 30), drawn


def test_the_loss_is_the_cross_entropy(world):
    """Written out by hand it is what torch says."""
    users, table, target, drawn = world
    ours = sampled_softmax(users, table[target], table[drawn.item], target, drawn)
    torch.testing.assert_close(ours, by_torch(users, table, target, drawn))


def test_the_gradient_is_that_of_the_loss(world):
    """By users and by items, with a weight per position."""
    users, table, target, drawn = world
    weight = torch.linspace(0, 2, len(users))
    ours = sampled_softmax(users, table[target], table[drawn.item], target, drawn)
    wanted = by_torch(users, table, target, drawn)
    for a, b in zip(
        torch.autograd.grad((ours * weight).sum(), [users, table]),
        torch.autograd.grad((wanted * weight).sum(), [users, table]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_what_is_added_per_pair_counts_and_is_learned(world):
    """Value and gradient of an offset between each person and each drawn item."""
    users, table, target, drawn = world
    generator = torch.Generator().manual_seed(4)
    shape = (len(users), len(drawn.item))
    offset = torch.randn(shape, generator=generator, requires_grad=True)
    weight = torch.linspace(0, 2, len(users))
    ours = sampled_softmax(users, table[target], table[drawn.item], target, drawn, offset)
    wanted = by_torch(users, table, target, drawn, offset)
    torch.testing.assert_close(ours, wanted)
    a, b = (torch.autograd.grad((each * weight).sum(), offset)[0] for each in (ours, wanted))
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_huge_logits_do_not_overflow():
    """Two hundred is more than exp can stand in float32."""
    users = torch.full((1, 1), 200.0)
    table = torch.tensor([[1.0], [0.5]])
    drawn = Drawn(np.array([1]), torch.zeros(1))
    loss = sampled_softmax(users, table[[0]], table[[1]], np.array([0]), drawn)
    assert torch.isfinite(loss).all()


def test_the_sample_stands_for_all_items():
    """The mean over many draws of Σ exp(s) / (N q) is Σ exp(s) over all items."""
    rng = np.random.default_rng(7)
    negatives = Negatives(np.arange(1, 51), FusionConfig(negatives=20))
    score = rng.normal(size=50)
    sums = []
    for _ in range(4000):
        drawn = negatives.draw(rng)
        sums.append(np.exp(score[drawn.item] - drawn.stands_for.numpy()).sum())
    assert np.mean(sums) == pytest.approx(np.exp(score).sum(), rel=0.02)


def test_items_are_drawn_by_a_power_of_their_popularity():
    """At exponent a half an item of 100 events comes ten times as often as one of 1."""
    rng = np.random.default_rng(2)
    counts = np.array([100] + [1] * 1000)
    negatives = Negatives(counts, FusionConfig(negatives=1, exponent=0.5))
    first = sum(negatives.draw(rng).item[0] == 0 for _ in range(20_000)) / 20_000
    assert first == pytest.approx(10 / 1010, rel=0.3)

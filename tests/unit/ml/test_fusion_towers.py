"""The two towers part by part: the graph, the gate, what each event may see."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from ml.fusion.batches import gather
from ml.fusion.config import Content, FusionConfig
from ml.fusion.items import ItemTower
from ml.fusion.people import UserTower
from ml.ranking.sequences import Sequences

ITEMS = 12


@pytest.fixture(autouse=True)
def same_chance():
    """Every test starts from the same weights."""
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        yield


def ring():
    """Each item leads to the next one."""
    to = (np.arange(ITEMS) + 1) % ITEMS
    return csr_array((np.ones(ITEMS, np.float32), (np.arange(ITEMS), to)), shape=(ITEMS, ITEMS))


def tower(content=None, graphs=(), **settings):
    """An item tower that is not being trained."""
    config = FusionConfig(**{"dim": 8, "hops": 0, **settings})
    return ItemTower(np.arange(ITEMS), list(graphs), content, config).eval()


def test_the_last_row_is_padding():
    """It is zero, so that padded events say nothing."""
    assert torch.equal(tower()()[-1], torch.zeros(8))


def test_a_hop_adds_the_neighbour_times_alpha():
    """z of an item on the ring is x plus half of the next one's x."""
    whole = tower(graphs=[ring()], hops=1)
    x = whole.norm(whole.own.weight)
    torch.testing.assert_close(whole()[:-1], x + 0.5 * x.roll(-1, 0))


def test_two_hops_reach_the_neighbour_s_neighbour():
    """A quarter of it at the start."""
    whole = tower(graphs=[ring()], hops=2)
    x = whole.norm(whole.own.weight)
    torch.testing.assert_close(whole()[:-1], x + 0.5 * x.roll(-1, 0) + 0.25 * x.roll(-2, 0))


def test_the_graph_passes_gradients_back():
    """As a dense product would, also to α."""
    whole = tower(graphs=[ring(), csr_array(ring().T)], hops=1)
    weight = torch.randn(ITEMS, 8)
    (whole()[:-1] * weight).sum().backward()
    ours, alpha = whole.own.weight.grad.clone(), whole.alpha.grad.clone()
    whole.zero_grad()
    x = whole.norm(whole.own.weight)
    dense = [torch.from_numpy(ring().toarray()), torch.from_numpy(ring().T.toarray())]
    z = x + sum(whole.alpha[0, k] * (table @ x) for k, table in enumerate(dense))
    (z * weight).sum().backward()
    torch.testing.assert_close(ours, whole.own.weight.grad)
    torch.testing.assert_close(alpha, whole.alpha.grad)


@pytest.mark.parametrize("graphs", [[], [ring()]])
def test_some_items_are_the_same_as_among_all(graphs):
    """With content and padding, with and without a graph."""
    whole = tower(content(), graphs=graphs, hops=len(graphs))
    item = torch.tensor([3, 0, ITEMS, 7])
    torch.testing.assert_close(whole.some(item), whole()[item])


def content():
    """Two categories, one brand number far outside the table, some unknown."""
    return Content(
        category=np.arange(ITEMS) % 2,
        brand=np.where(np.arange(ITEMS) < 3, -1, 10**9),
        price=np.zeros(ITEMS, np.int64),
    )


def test_items_that_nobody_touched_live_on_their_content():
    """Item 0 has no events, so the gate shuts its own vector out."""
    one = tower(content(), count_gate=True)
    before = one()[0].clone()
    with torch.no_grad():
        one.own.weight[0] += 10
    torch.testing.assert_close(one()[0], before)


def test_without_the_gate_an_item_s_own_vector_counts_at_once():
    """That is how it is unless the gate is switched on."""
    one = tower(content())
    before = one()[0].clone()
    with torch.no_grad():
        one.own.weight[0] += torch.randn(8)
    assert not torch.allclose(one()[0], before)


def test_own_vectors_are_hidden_in_training_only():
    """With all hidden, items of equal content are equal."""
    one = tower(content(), id_dropout=1.0).train()
    assert torch.equal(one()[4], one()[6])
    assert not torch.equal(one.eval()()[4], one()[6])


def test_without_content_nothing_is_hidden():
    """An id is all that there is to know."""
    one = tower(id_dropout=1.0).train()
    assert torch.equal(one()[:-1], one.norm(one.own.weight))


SWITCHES = [
    {},
    {"encoder": "gru"},
    {"encoder": "attention"},
    {"encoder": "none"},
    {"attention": False},
    {"own_edges": True},
    {"encoder": "none", "own_edges": True},
    {"encoder": "none", "attention": False},
]


def people(**settings):
    """A user tower with weights of behaviours that are not all zero."""
    one = UserTower(FusionConfig(dim=8, steps=6, **settings)).eval()
    with torch.no_grad():
        for weight in one.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return one


def some_events(lists, ts=None):
    """With codes, and with times where they are given."""
    past = Sequences.of(lists, ITEMS)
    code = (past.item % 3).astype(np.int8)
    past = Sequences(item=past.item, start=past.start, n_items=ITEMS, code=code, ts=ts)
    return gather(past, past.start[:-1], past.start[1:])


@pytest.mark.parametrize("switches", SWITCHES)
def test_no_event_sees_a_later_one(switches):
    """Changing the last event changes nothing before it."""
    one, table = people(**switches), torch.randn(ITEMS + 1, 8)
    first, second = some_events([[1, 2, 3, 4]]), some_events([[1, 2, 3, 5]])
    a, b = one(table[first.item], first), one(table[second.item], second)
    torch.testing.assert_close(a[:, :3], b[:, :3])
    assert not torch.allclose(a[:, 3], b[:, 3])


@pytest.mark.parametrize("switches", SWITCHES)
def test_padding_changes_nothing(switches):
    """A sequence has the same vectors beside a longer one."""
    one, table = people(**switches), torch.randn(ITEMS + 1, 8)
    alone, beside = some_events([[1, 2]]), some_events([[1, 2], [3, 4, 5, 6]])
    torch.testing.assert_close(
        one(table[alone.item], alone)[0], one(table[beside.item], beside)[0, :2]
    )


def test_a_behaviour_with_a_large_weight_takes_the_attention():
    """With β of code 2 very large, only the event of that code is read."""
    one, table = people(encoder="none"), torch.randn(ITEMS + 1, 8)
    with torch.no_grad():
        one.attention.beta[:, 2] = 1e4
    events, alone = some_events([[0, 2, 1]]), some_events([[2]])
    torch.testing.assert_close(
        one(table[events.item], events)[0, 2], one(table[alone.item], alone)[0, 0]
    )


def test_times_are_heard_where_there_are_any():
    """The same items an hour apart or a month apart are not the same."""
    one, table = people(), torch.randn(ITEMS + 1, 8)
    near = some_events([[1, 2]], np.array([0, 3_600_000], np.int64))
    far = some_events([[1, 2]], np.array([0, 30 * 86_400_000], np.int64))
    assert not torch.allclose(one(table[near.item], near), one(table[far.item], far))

"""Both towers learned together, on small shops whose rules are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.errors import NotEnoughData, TrainingDiverged
from ml.fusion import Content, Fusion, FusionConfig
from ml.ranking.gru4rec import GRU4Rec
from ml.ranking.sasrec import SASRec
from ml.ranking.sequences import Sequences

ITEMS = 12
SMALL = FusionConfig(dim=16, epochs=30, batch=128, negatives=32, dropout=0.0, learning_rate=0.01)


@pytest.fixture(autouse=True)
def one_thread():
    """Training is compared bit by bit."""
    torch.set_num_threads(1)


def circle(people=40, steps=6):
    """Everybody walks around the items, one after the other, from anywhere."""
    begin = np.arange(people)[:, None]
    return Sequences.of((begin + np.arange(steps)) % ITEMS, ITEMS)


def fitted(config=SMALL, past=None, content=None, seed=1):
    """A model that has seen the circle."""
    model = Fusion(config, content, seed)
    model.fit(circle() if past is None else past)
    return model


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"encoder": "gru", "hops": 0},
        {"encoder": "attention", "attention": False},
        {"own_edges": True},
        {"encoder": "none"},
        {"cosine": False, "popular": True, "hops": 2},
    ],
)
def test_what_comes_next_on_the_circle_is_learned(switches):
    """Whatever parts are switched on."""
    asked = Sequences.of([[3], [10, 11], [4, 5, 6]], ITEMS)
    scores = fitted(replace(SMALL, **switches)).scores(asked)
    assert scores.argmax(axis=1).tolist() == [4, 0, 7]


def test_equal_seeds_give_equal_scores_and_leave_torch_s_chance_alone():
    """Randomness comes in through the seed."""
    before = torch.get_rng_state()
    few = replace(SMALL, epochs=2, dropout=0.2)
    one, two, three = (fitted(few, seed=seed).scores(circle()) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)
    assert torch.equal(before, torch.get_rng_state())


def test_products_of_the_vectors_are_the_scores():
    """What serving needs to hold."""
    model, asked = fitted(replace(SMALL, epochs=2)), circle(5)
    product = model.user_vectors(asked) @ model.item_vectors().T
    np.testing.assert_allclose(model.scores(asked), product, atol=1e-5)


def test_vectors_do_not_depend_on_who_else_is_asked():
    """Alone or in a batch of other lengths."""
    model = fitted(replace(SMALL, epochs=1))
    lists = [[1], [], [2, 3, 4, 5, 6], [7, 8]]
    together = model.user_vectors(Sequences.of(lists, ITEMS))
    alone = [model.user_vectors(Sequences.of([one], ITEMS))[0] for one in lists]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_only_the_last_steps_are_read():
    """An event before them changes nothing."""
    model = fitted(replace(SMALL, epochs=1, steps=3))
    asked = Sequences.of([[9, 1, 2, 3], [0, 1, 2, 3]], ITEMS)
    first, second = model.user_vectors(asked)
    assert np.array_equal(first, second)


def test_somebody_without_events_has_the_prior():
    """It learns what people begin with, where it is switched on."""
    past = Sequences.of([[5, k % 4] for k in range(60)], ITEMS)
    model = fitted(replace(SMALL, first=True), past)
    assert model.scores(Sequences.of([[]], ITEMS))[0].argmax() == 5


def test_a_behaviour_that_is_not_to_be_foretold_is_not_learned():
    """Events of code 1 have the weight 0 as targets."""
    rng = np.random.default_rng(0)
    item = np.array([[0, 1] if k % 2 else [0, 2] for k in range(60)], np.int32).ravel()
    code = np.where(item == 1, 1, 0).astype(np.int8)
    start = np.arange(0, len(item) + 1, 2)
    past = Sequences(item=item, start=start, n_items=4, code=code)
    weights = replace(SMALL, target_weight=(1.0, 0.0), hops=0)
    model = fitted(weights, past)
    scores = model.scores(past.take(rng.permutation(4)).without_last())
    assert (scores[:, 2] > scores[:, 1]).all()


def test_a_new_item_is_found_by_its_content():
    """Item 11 was never touched, but is of the category that follows category 0."""
    category = np.array([0, 1] * 6)
    rng = np.random.default_rng(1)
    lists = [[2 * rng.integers(0, 6), 1 + 2 * rng.integers(0, 5)] for _ in range(200)]
    config = replace(SMALL, id_dropout=0.5, hops=0)
    model = fitted(config, Sequences.of(lists, ITEMS), Content(category=category))
    scores = model.scores(Sequences.of([[0], [4]], ITEMS))
    assert (scores[:, [11]] > scores[:, category == 0]).all()


def test_the_weights_of_behaviours_can_be_read():
    """One value per head and code, or per code."""
    found = fitted(replace(SMALL, epochs=1, own_edges=True)).behaviour_weights()
    assert set(found) == {"beta", "gamma", "eta", "tau"}
    assert found["beta"].shape == (2, len(found["eta"]))
    assert (found["tau"] > 0).all()
    bare = replace(SMALL, epochs=1, attention=False)
    assert fitted(bare).behaviour_weights() == {}


def test_edges_of_each_behaviour_have_a_weight_of_their_own():
    """Two codes, two graphs, two α."""
    past = circle()
    coded = Sequences(
        item=past.item,
        start=past.start,
        n_items=ITEMS,
        code=(np.arange(len(past.item)) % 2).astype(np.int8),
    )
    model = fitted(replace(SMALL, epochs=1, edges_by_behaviour=True), coded)
    assert np.isfinite(model.scores(coded)).all()


def test_recent_sequences_can_count_for_more():
    """First 0 led to 1, lately it leads to 2."""
    past = Sequences.of([[0, 1]] * 60 + [[0, 2]] * 60, 4)
    model = fitted(replace(SMALL, half_life=10.0, hops=0), past)
    scores = model.scores(Sequences.of([[0]], 4))[0]
    assert scores[2] > scores[1] + 1


def test_training_can_be_watched():
    """After each epoch the model can be asked; the loss falls."""
    seen = []
    model = Fusion(replace(SMALL, epochs=3))
    model.fit(
        circle(), watch=lambda epoch, loss: seen.append((epoch, loss, model.scores(circle())))
    )
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3]
    assert [loss for _, loss, _ in seen] == model.losses
    assert model.losses[-1] < model.losses[0]
    assert not np.array_equal(seen[0][2], seen[2][2])


def test_nothing_to_learn_from_is_said():
    """No event at all."""
    with pytest.raises(NotEnoughData):
        Fusion(SMALL).fit(Sequences.of([], 3))


def test_a_loss_that_is_no_number_stops_the_training():
    """A learning rate beyond all reason."""
    wild = replace(SMALL, learning_rate=float("inf"))
    with pytest.raises(TrainingDiverged, match="epoch"):
        fitted(wild)


@pytest.mark.parametrize("kind", [GRU4Rec, SASRec])
def test_the_published_nets_learn_the_circle(kind):
    """With their own parts only."""
    published = kind().config
    assert not published.attention
    assert not published.hops
    small = replace(SMALL, encoder=published.encoder, cosine=False, popular=True)
    model = kind(replace(small, attention=False, hops=0))
    model.fit(circle())
    assert model.scores(Sequences.of([[3], [4, 5, 6]], ITEMS)).argmax(axis=1).tolist() == [4, 7]

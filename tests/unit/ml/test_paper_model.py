"""The network: shapes, switches, and what it must not see."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.batches import PoolBatches, Scene
from ml.config import PaperConfig
from ml.evaluation.pools import moment, touched_pool
from ml.fitting import fit, forward
from ml.models.item2vec import item2vec, sessions
from ml.models.paper import PaperModel
from ml.scoring import head_of, item_vectors, score_pool, user_vectors
from ml.timelines import Timelines

SWITCHES = [(True, True), (False, True), (True, False), (False, False)]


def setting(world, config, **changes):
    config = PaperConfig.of(config.to_dict() | changes)
    torch.manual_seed(0)
    table = torch.randn(world.n_items + 1, config.dim)
    table[-1] = 0
    cutoff = int(world.ts[len(world) // 2])
    model = PaperModel(config).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    pool = touched_pool(moment(world, cutoff, config))
    model.mean.copy_(torch.from_numpy(pool.features.mean(axis=0)))
    return model, Scene(Timelines(world), cutoff, table, config), pool


@pytest.mark.parametrize(("attention", "graph"), SWITCHES)
def test_stored_vectors_give_the_networks_logit(world, small, attention, graph):
    """Forward pass, batch scorer and NumPy head agree to 1e-5 under every switch."""
    model, scene, pool = setting(world, small, attention=attention, graph=graph)
    batches = PoolBatches(pool, scene, 7)
    by_torch = np.zeros(len(pool))
    with torch.no_grad():
        for batch in batches:
            by_torch[batch.rows] = forward(model, scene.table, batch).numpy()
    assert np.abs(by_torch - score_pool(model, scene, pool)).max() < 1e-5
    people = user_vectors(model, scene, np.arange(world.n_users))
    items = item_vectors(model, scene, np.arange(world.n_items)).embedding
    by_numpy = head_of(model).logits(people[pool.user], items[pool.item], pool.features)
    assert np.abs(by_torch - by_numpy).max() < 1e-5


def test_batches_hold_every_pair_once_and_whole_people(world, small):
    _, scene, pool = setting(world, small)
    batches = PoolBatches(pool, scene, 7)
    rng = np.random.default_rng(0)
    rows = np.concatenate([batches.batch(group).rows for group in batches.groups(rng)])
    assert sorted(rows.tolist()) == list(range(len(pool)))
    batch = next(iter(batches))
    assert len(set(pool.user[batch.rows].tolist())) == 7
    assert int(batch.sequences.length.max()) == batch.sequences.item.shape[1]


def test_e4_a_person_alone_has_the_vector_they_have_in_a_batch(world, small):
    """Padding is masked: neither the longest neighbour nor the batch changes a person."""
    model, scene, _ = setting(world, small)
    together = user_vectors(model, scene, np.arange(world.n_users))
    alone = np.concatenate([user_vectors(model, scene, np.array([u])) for u in (0, 3, 9)])
    assert np.abs(together[[0, 3, 9]] - alone).max() < 1e-5


def test_scores_do_not_change_when_later_events_are_deleted(world, small):
    """Trap 2 for the whole network."""
    model, scene, pool = setting(world, small)
    past = Scene(Timelines(world.before(scene.cutoff)), scene.cutoff, scene.table, small)
    assert np.array_equal(score_pool(model, scene, pool), score_pool(model, past, pool))


def test_attention_can_tell_behaviours_apart(world, small):
    model, scene, _ = setting(world, small)
    before = user_vectors(model, scene, np.arange(5))
    with torch.no_grad():
        model.attention.bias[:, 7] += 3
    assert np.abs(user_vectors(model, scene, np.arange(5)) - before).max() > 1e-3


def test_switches_leave_their_parts_out(world, small):
    model, scene, _ = setting(world, small, attention=False, graph=False)
    names = " ".join(name for name, _ in model.named_parameters())
    assert "attention" not in names
    assert "graph" not in names
    assert not item_vectors(model, scene, np.arange(3)).embedding.any()


@pytest.mark.parametrize("graph", [True, False])
def test_e4_sequences_of_any_length_have_the_same_vector_alone_and_together(events, small, graph):
    """Of no event, one, as many as are read, and one more; only the last ones count."""
    counts = (0, 1, small.steps, small.steps + 1)
    rows = [
        (person, step % 4, 2, step / 50, 5.0)
        for person, count in enumerate(counts)
        for step in range(count)
    ]
    data = events(*rows, people=len(counts))
    config = replace(small, graph=graph)
    torch.manual_seed(1)
    table = torch.cat([torch.randn(data.n_items, config.dim), torch.zeros(1, config.dim)])
    scene = Scene(Timelines(data), data.end_ms, table, config)
    model = PaperModel(config).eval()
    together = user_vectors(model, scene, np.arange(len(counts)))
    for person in range(len(counts)):
        alone = user_vectors(model, scene, np.array([person]))
        assert np.abs(alone[0] - together[person]).max() < 1e-5
    assert np.isfinite(together).all()
    assert scene.lengths.tolist() == [0, 1, small.steps, small.steps]


def test_e3_a_person_without_events_and_an_item_without_people_have_finite_vectors(events, small):
    data = events((0, 0, 2, 1, 1), (0, 1, 2, 2, 1))
    table = torch.zeros(data.n_items + 1, small.dim)
    scene = Scene(Timelines(data), data.end_ms, table, small)
    model = PaperModel(small)
    assert np.isfinite(user_vectors(model, scene, np.arange(3))).all()
    assert np.isfinite(item_vectors(model, scene, np.arange(4)).graph).all()


def test_item2vec_repeats_and_gives_unseen_items_their_category(events, small):
    rows = [(user, item, 7, day, 1) for day in range(9) for user in range(3) for item in (0, 2)]
    first, second = (item2vec(events(*rows), small) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(first[1], first[0])
    assert not first[3].any()


def test_a_long_pause_starts_a_new_session(events):
    data = events((0, 0, 2, 0, 1), (0, 1, 2, 0.01, 1), (1, 3, 2, 0.01, 1), (0, 2, 2, 1, 1))
    assert sessions(data, 30) == [["0", "1"], ["2"], ["3"]]


ALONE = {
    "lstm": {"attention": False, "graph": False, "counters": False},
    "gat": {"sequence": False, "counters": False},
}


@pytest.mark.parametrize("part", sorted(ALONE))
def test_a_part_alone_does_not_see_the_counters(world, small, part):
    model = PaperModel(PaperConfig.of(small.to_dict() | ALONE[part])).eval()
    _, scene, pool = setting(world, small)
    moved = replace(pool, features=pool.features + 1)
    assert np.array_equal(score_pool(model, scene, pool), score_pool(model, scene, moved))


@pytest.mark.parametrize("part", sorted(ALONE))
def test_a_part_alone_still_tells_a_persons_items_apart(world, small, part):
    model = PaperModel(PaperConfig.of(small.to_dict() | ALONE[part])).eval()
    _, scene, pool = setting(world, small)
    own = pool.take(pool.user == pool.user[0])
    assert len(set(score_pool(model, scene, own).tolist())) > len(own) // 2


def test_the_graph_alone_does_not_see_the_order_of_events(world, small):
    model = PaperModel(PaperConfig.of(small.to_dict() | ALONE["gat"]))
    assert model.lstm is None
    assert model.attention is None
    assert model.head_person.in_features == small.dim


def test_counters_that_are_switched_off_stay_off_in_training(world, small):
    config = PaperConfig.of(small.to_dict() | ALONE["gat"])
    _, scene, pool = setting(world, small)
    model = PaperModel(config)
    batches = [PoolBatches(pool, scene, 7)]
    fit(model, batches, batches, replace(config, max_epochs=1), lambda _: None)
    assert not model.head_features.weight.any()


def test_a_person_must_be_seen_by_something(small):
    with pytest.raises(ValueError, match="sequence or a graph"):
        PaperModel(replace(small, sequence=False, graph=False))


class Watched(PoolBatches):
    """Notes the people of each batch that is made."""

    def __init__(self, *args):
        super().__init__(*args)
        self.made = []

    def batch(self, group):
        self.made.append(tuple(sorted(group.tolist())))
        return super().batch(group)


def test_an_epoch_of_a_large_shop_sees_a_part_of_it_and_the_next_one_another(world, small):
    _, scene, pool = setting(world, small)
    training, validation = Watched(pool, scene, 1), Watched(pool, scene, 1)
    most = len(training.groups(None)) // 2
    config = replace(small, max_epochs=2, epoch_batches=most)
    fit(PaperModel(config), [training], [validation], config, lambda _: None)
    first, second = training.made[:most], training.made[most:]
    assert len(second) == most
    assert set(first) != set(second)
    looks = (
        validation.made[: len(validation.made) // 2],
        validation.made[len(validation.made) // 2 :],
    )
    assert looks[0] == looks[1], "losses are compared on the same people"
    assert 1 < len(looks[0]) <= most


def test_a_shop_that_fits_into_an_epoch_is_seen_whole(world, small):
    _, scene, pool = setting(world, small)
    training, validation = Watched(pool, scene, 7), Watched(pool, scene, 7)
    config = replace(small, max_epochs=1, epoch_batches=len(training.groups(None)))
    fit(PaperModel(config), [training], [validation], config, lambda _: None)
    everybody = sorted(range(len(np.unique(pool.user))))
    assert sorted(sum(training.made, ())) == everybody
    assert sorted(sum(validation.made, ())) == everybody

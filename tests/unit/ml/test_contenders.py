"""Models on counters compete with the paper's; the winner answers as it did in training."""

from dataclasses import replace

import numpy as np
import pytest

from ml.contenders import CONTENDERS, Contenders, questions
from ml.dataset import Catalogue, Interactions
from ml.delivery import refresh
from ml.errors import ModelBroken
from ml.evaluation.pools import Pool, moment, touched_pool
from ml.evaluation.splits import cutoffs, time_split
from ml.export import load_fitted
from ml.intent.counters import COUNTERS
from ml.parts import Parts, split_into_parts
from ml.serving import History, ServingModel
from ml.serving.intent import FOLDER, IntentScorer
from ml.training import train


@pytest.fixture(scope="module")
def parts(world, small) -> Parts:
    return split_into_parts(world, cutoffs(time_split(world), small), small, lambda share: None)


@pytest.fixture(scope="module", params=sorted(CONTENDERS))
def won(request, world, small, tmp_path_factory):
    """A run in which a contender is put to work, whatever the chance of so small a shop says."""
    from ml import judging

    folder = tmp_path_factory.mktemp("won") / "v1"
    patch = pytest.MonkeyPatch()
    patch.setattr(judging, "_champion", lambda pool, logits, config: request.param)
    try:
        return train(world, replace(small, max_epochs=1), folder=folder, version="v1")
    finally:
        patch.undo()


def test_contenders_are_asked_the_same_questions(world, small, parts):
    pool = parts.test[0]
    table = questions(world, pool, small)
    assert table.names == COUNTERS
    assert np.array_equal(table.user, pool.user)
    assert np.array_equal(table.item, pool.item)
    assert np.array_equal(table.label, pool.label)


def test_contenders_learn_from_touched_pairs_and_answer_all_of_a_pool(world, small, parts):
    contenders = Contenders(world, small)
    contenders.fit(parts)
    for scores in contenders.logits(parts.test).values():
        assert len(scores) == sum(len(pool) for pool in parts.test)
        assert np.isfinite(scores).all()


def test_without_contenders_the_papers_model_answers(world, small, tmp_path):
    alone = train(
        world, replace(small, contenders=False, max_epochs=1), folder=tmp_path / "m", version="v"
    )
    assert alone.champion == "paper"
    assert "test_boosted_ap" not in alone.metrics
    assert ServingModel.load(alone.folder).intent is None


def test_every_contender_stands_in_the_report(trained):
    report = trained[0].report["test"]
    assert all(report[name]["pairs"] == report["paper"]["pairs"] for name in CONTENDERS)
    assert trained[0].champion in report


def test_the_shop_gets_the_chance_that_training_computed(world, small, won, history_of):
    """Counters of one person from their own history, equal to those of everybody at once."""
    assert won.champion in CONTENDERS
    pool = touched_pool(moment(world, world.end_ms, small))
    champion = load_fitted(won.folder, world).champion
    table = questions(world, pool, small)
    wanted = champion.calibration.apply(champion.model.logits(table))
    served = ServingModel.load(won.folder)
    for user in (0, 7, 22):
        own = pool.user == user
        items = [world.catalogue.item_ids[item] for item in pool.item[own]]
        vector = won.user_vectors[won.user_ids.index(f"c_{user}")]
        found = served.score(vector, history_of(world, user), now_ms=world.end_ms, items=items)
        assert np.abs(found - wanted[own]).max() < 1e-5


def test_what_a_person_never_touched_is_answered_by_the_papers_model(world, won):
    served = ServingModel.load(won.folder)
    vector = won.user_vectors[0]
    nobody = served.score(vector, History(), now_ms=world.end_ms)
    assert np.isfinite(nobody[served.is_listed]).all()
    assert 0 < np.nanmin(nobody) <= np.nanmax(nobody) < 1


def test_a_refresh_keeps_the_champion(world, won, tmp_path):
    renewed = refresh(won.folder, world, target=tmp_path / "v1-r1", version="v1-r1")
    assert renewed.champion == won.champion
    assert ServingModel.load(renewed.folder).intent is not None


def test_a_damaged_champion_is_not_served(won, tmp_path):
    import shutil

    folder = shutil.copytree(won.folder, tmp_path / "copy")
    for path in (path for path in (folder / FOLDER).rglob("*") if path.is_file()):
        path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelBroken, match="was changed"):
        ServingModel.load(folder)


def test_items_that_came_after_training_are_nobody_to_the_champion(
    world, won, tmp_path, history_of
):
    """Positions in a new catalogue must not be taken for those of training."""
    turned = world.catalogue.item_ids[::-1]
    renewed = Interactions.of(
        user=world.user,
        item=len(turned) - 1 - world.item,
        code=world.code,
        ts=world.ts,
        price=world.price,
        user_ids=world.user_ids,
        catalogue=Catalogue.of(
            [*turned, "item-new"],
            categories=[f"colour/{(len(turned) - 1 - row) % 2}" for row in range(len(turned) + 1)],
        ),
    )
    refresh(won.folder, renewed, target=tmp_path / "turned", version="v2")
    before, after = ServingModel.load(won.folder), ServingModel.load(tmp_path / "turned")
    assert after.intent.trained_row.tolist() == [*range(len(turned) - 1, -1, -1), -1]
    vector, history = won.user_vectors[0], history_of(world, 0)
    items = sorted(set(history.item_ids))
    wanted = before.score(vector, history, now_ms=world.end_ms, items=items)
    found = after.score(vector, history, now_ms=world.end_ms, items=items)
    assert np.abs(found - wanted).max() < 1e-5


def test_an_unknown_champion_is_refused_by_name(tmp_path):
    with pytest.raises(ModelBroken, match="oracle"):
        IntentScorer.of(tmp_path, {"name": "oracle", "slope": 1.0, "intercept": 0.0})


def test_joined_pools_keep_their_order(world, small, parts):
    """Logits of several pools stand as the joined pool's pairs do."""
    contenders = Contenders(world, small)
    contenders.fit(parts)
    joined = contenders.logits(parts.test)["boosted"]
    alone = [contenders.logits([pool])["boosted"] for pool in parts.test]
    assert np.array_equal(joined, np.concatenate(alone))
    assert len(joined) == len(Pool.join(parts.test))

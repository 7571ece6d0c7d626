"""A whole run on the checkerboard, and the runs that must not succeed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ml import fitting
from ml.config import PaperConfig
from ml.dataset import Interactions
from ml.delivery import embed, refresh
from ml.errors import NotEnoughData, TrainingDiverged
from ml.serving import ServingModel
from ml.training import train


def test_the_checkerboard_is_learned(trained):
    """
    Popularity cannot know a person's colour; the model must.

    What is bought within a colour is chance, so even perfect knowledge of colours stops at about
    1.4 times the base rate.
    """
    model, _, _ = trained
    test = model.report["test"]
    assert test["paper"]["ap"] > 1.3 * test["popularity"]["ap"]
    assert test["paper"]["auc"] > test["popularity"]["auc"] + 0.1
    assert test["popularity"]["ap_gain_low"] > 0


def test_every_model_is_measured_on_the_same_pairs(trained):
    model, _, _ = trained
    for part in model.report.values():
        assert set(part) == {"paper", "popularity", "logistic", "boosted", "stack"}
        assert len({(row["pairs"], row["base_rate"]) for row in part.values()}) == 1
    assert model.metrics["test_paper_ap"] == model.report["test"]["paper"]["ap"]
    assert model.metrics["test_base_rate"] == model.report["test"]["paper"]["base_rate"]
    assert np.isfinite(list(model.metrics.values())).all()


def test_probabilities_are_calibrated(trained):
    test = trained[0].report["test"]["paper"]
    assert test["ece"] < 0.03


def test_progress_only_rises_and_names_its_stages(trained):
    told = trained[2]
    shares = [one.share for one in told]
    assert shares == sorted(shares)
    stages = list(dict.fromkeys(one.stage for one in told))
    judged = ["contenders", "evaluate", "strangers"]
    assert stages == ["item2vec", "features", "fit", *judged, "export", "done"]
    assert told[-1].share == 1


def test_neighbours_have_the_same_colour(trained):
    model = trained[0]
    nearest = {}
    for item, other, score in model.similar:
        assert -1.001 <= score <= 1.001
        assert item != other
        nearest.setdefault(item, other)
    same = [int(a[5:]) % 2 == int(b[5:]) % 2 for a, b in nearest.items()]
    assert np.mean(same) > 0.8


def test_d7_embeddings_of_one_seed_are_equal_and_the_report_says_when_they_need_not_be(
    world, small, trained, tmp_path
):
    again = train(world, small, folder=tmp_path / "again", version="v1")
    assert again.metrics == trained[0].metrics
    assert again.metrics["repeats_exactly"] == 1
    assert np.array_equal(again.user_vectors, trained[0].user_vectors)
    assert np.array_equal(again.item_vectors, trained[0].item_vectors)
    short = replace(small, threads=2, max_epochs=1)
    parallel = train(world, short, folder=tmp_path / "parallel", version="v2")
    assert parallel.metrics["repeats_exactly"] == 0


def test_embedding_without_training_repeats_the_stored_vectors(world, trained):
    model, folder, _ = trained
    vectors = embed(folder, world, now_ms=world.end_ms, users=["c_3", "c_unknown", "c_1"])
    assert vectors.user_ids == ["c_3", "c_1"]
    rows = [model.user_ids.index(one) for one in vectors.user_ids]
    assert np.abs(vectors.user_vectors - model.user_vectors[rows]).max() < 1e-5
    assert np.abs(vectors.item_vectors - model.item_vectors).max() < 1e-5


def test_a_refresh_serves_new_people_and_new_items(world, trained, tmp_path):
    _, folder, _ = trained
    catalogue = world.catalogue
    grown = Interactions.of(
        user=np.append(world.user, [world.n_users] * 2),
        item=np.append(world.item, [2, world.n_items]),
        code=np.append(world.code, [2, 2]),
        ts=np.append(world.ts, [world.end_ms + 1, world.end_ms + 2]),
        user_ids=[*world.user_ids, "c_new"],
        catalogue=type(catalogue).of(
            [*catalogue.item_ids, "item-new"],
            categories=[f"colour/{row % 2}" for row in range(len(catalogue) + 1)],
        ),
    )
    renewed = refresh(folder, grown, target=tmp_path / "v1-r1", version="v1-r1")
    assert "c_new" in renewed.user_ids
    served = ServingModel.load(tmp_path / "v1-r1")
    assert served.version == "v1-r1"
    assert served.as_of_ms == grown.end_ms
    assert served.similar("item-new", 3)


def cut(data: Interactions, keep) -> Interactions:
    return Interactions.of(
        user=data.user[keep],
        item=data.item[keep],
        code=data.code[keep],
        ts=data.ts[keep],
        user_ids=data.user_ids,
        catalogue=data.catalogue,
    )


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda data: data.user < 0, "people 0"),
        (lambda data: data.user == 1, "people 1, needed 2"),
        (lambda data: data.code != 7, "positives 0"),
        (lambda data: np.arange(len(data)) < 8, "events 8, needed 10"),
    ],
    ids=["no events", "one person", "no purchases", "a handful"],
)
def test_too_little_data_is_said_with_numbers(world, small, tmp_path, keep, message):
    with pytest.raises(NotEnoughData, match=message):
        train(cut(world, keep(world)), small, folder=tmp_path / "m", version="v")
    assert not (tmp_path / "m").exists()


def test_a_loss_that_is_no_number_stops_the_run_and_exports_nothing(
    world, small, tmp_path, monkeypatch
):
    def broken(logit, label, reduction):
        return (logit * torch.nan).sum()

    monkeypatch.setattr(fitting, "_loss", broken)
    with pytest.raises(TrainingDiverged, match="not finite"):
        train(world, small, folder=tmp_path / "m", version="v")
    assert not (tmp_path / "m").exists()


def test_the_order_of_rows_and_the_test_labels_do_not_reach_the_fit(
    world, small, tmp_path, trained
):
    """Trap 7: other events in the test part leave threshold and epochs as they were."""
    late = world.ts >= np.quantile(world.ts, 0.91)
    shuffled = world.item.copy()
    shuffled[late] = np.random.default_rng(0).permutation(shuffled[late])
    other = Interactions.of(
        user=world.user,
        item=shuffled,
        code=world.code,
        ts=world.ts,
        price=world.price,
        user_ids=world.user_ids,
        catalogue=world.catalogue,
    )
    found = train(other, small, folder=tmp_path / "m", version="v")
    mine, theirs = (model.report["validation"]["paper"] for model in (found, trained[0]))
    assert mine == theirs
    calibration = [
        json.loads((folder / "manifest.json").read_text())["metrics"]["test_paper_threshold"]
        for folder in (found.folder, trained[1])
    ]
    assert calibration[0] == calibration[1]


def test_options_of_a_run_become_a_config_and_unknown_ones_are_left_out():
    config = PaperConfig.of({"attention": False, "colour": "red"})
    assert not config.attention
    assert PaperConfig.of(config.to_dict()) == config

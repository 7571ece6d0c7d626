"""People without a stored vector: who answers them, from which file, and what they see."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ml.cold.blend import ColdBlend
from ml.cold.cases import lives
from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.delivery import deliver, refresh
from ml.errors import ModelBroken
from ml.evaluation.splits import cutoffs, time_split
from ml.export import load_fitted
from ml.serving import History, ServingModel
from ml.serving.store import MANIFEST, write_manifest
from ml.serving.strangers import FILE
from ml.strangers import Shelf, judge_strangers, most_cases, recounted

VIEW = 2


@pytest.fixture(scope="module")
def shelf(world) -> Shelf:
    """A cosine that knows nothing but what is popular."""
    none = np.zeros((world.n_items, 128), np.float32)
    popularity = np.bincount(world.item, minlength=world.n_items).astype(np.float32)
    return Shelf(direction=none, popularity=popularity, is_listed=np.ones(world.n_items, bool))


@pytest.fixture(scope="module")
def slice_(world, small) -> tuple[int, int]:
    """Where the run's own questions begin and end."""
    split = time_split(world)
    at = cutoffs(split, small).validation
    return at[len(at) // 2], split.validation_end_ms


@pytest.fixture(scope="module")
def blend(world, small, shelf, slice_) -> ColdBlend:
    """One that a run has learned."""
    found = judge_strangers(world, *slice_, shelf, small).blend
    assert found is not None
    return found


@pytest.fixture(scope="module")
def delivered(world, trained, blend, tmp_path_factory):
    """The trained model's folder with the blend in it."""
    fitted = replace(load_fitted(trained[1], world), strangers=blend)
    folder = tmp_path_factory.mktemp("with") / "v1"
    deliver(fitted, world, {}, folder, "v1")
    return folder


@pytest.fixture(scope="module")
def served(delivered) -> ServingModel:
    return ServingModel.load(delivered)


def grown(world, *, code=VIEW, events=0) -> Interactions:
    """With a new item that was made long ago, and so many people who took it lately."""
    catalogue = world.catalogue
    n = len(catalogue)
    return Interactions.of(
        user=np.append(world.user, np.arange(events) % world.n_users),
        item=np.append(world.item, np.full(events, n)),
        code=np.append(world.code, np.full(events, code)),
        ts=np.append(world.ts, world.end_ms + np.arange(events)),
        user_ids=world.user_ids,
        catalogue=Catalogue.of(
            [*catalogue.item_ids, "item-new"],
            categories=[f"colour/{row % 2}" for row in range(n + 1)],
            created_at=[1] * (n + 1),
        ),
    )


def test_the_shop_gets_the_scores_that_training_computes(world, small, blend, served, history_of):
    """Everybody counted by the run, one person's own events by the shop: equal to 1e-5."""
    wanted = recounted(blend, world, small).scores(lives(world))
    for user in (0, 7, 22):
        found = served.session(history_of(world, user), world.end_ms)
        assert np.abs(found - wanted[user]).max() < 1e-5


def test_one_view_brings_related_items_first(served, world):
    seen = History(["item-2"], [VIEW], [world.end_ms - 1], [None])
    best = served.top(served.session(seen, world.end_ms), 6, exclude=seen.item_ids)
    assert all(int(item[5:]) % 2 == 0 for item, _ in best)


def test_without_events_everybody_starts_alike(served, world, small, blend):
    start = recounted(blend, world, small).scores(lives(world.before(0)))[0]
    assert np.abs(served.newcomers() - start).max() < 1e-5
    assert np.array_equal(served.newcomers(), served.session(History(), world.end_ms))
    odd = served.top(served.newcomers("colour/1"), 100)
    assert [item for item, _ in odd] == [
        item for item, _ in served.top(served.newcomers(), 100) if int(item[5:]) % 2
    ]


def test_unknown_items_and_later_events_say_nothing(served, world):
    now = world.end_ms
    odd = History(["gone", "item-1"], [VIEW, VIEW], [now, now + DAY_MS], [None, None])
    assert np.array_equal(served.session(odd, now), served.newcomers())


def test_what_is_not_listed_is_shown_to_nobody(world, delivered, tmp_path):
    """Not even to somebody who had it."""
    refresh(delivered, grown(world), target=tmp_path / "v2", version="v2")
    served = ServingModel.load(tmp_path / "v2")
    seen = History(["item-new"], [VIEW], [world.end_ms - 1], [None])
    for scores in (served.newcomers(), served.session(seen, world.end_ms)):
        assert np.flatnonzero(np.isnan(scores)).tolist() == [world.n_items]
        assert "item-new" not in dict(served.top(scores, 100))


def test_a_refresh_counts_anew_and_keeps_the_weights(world, delivered, tmp_path):
    """Half of the shop takes a new item: it is among the first things a stranger sees."""
    refresh(delivered, grown(world, events=400), target=tmp_path / "v2", version="v2")
    served = ServingModel.load(tmp_path / "v2")
    before = ServingModel.load(delivered)
    assert np.array_equal(served.strangers.blend.weights, before.strangers.blend.weights)
    seen = History(["item-2"], [VIEW], [world.end_ms - 1], [None])
    best = served.top(served.session(seen, world.end_ms + DAY_MS), 5)
    assert "item-new" in dict(best)


def test_a_damaged_file_is_not_served(delivered, tmp_path):
    folder = shutil.copytree(delivered, tmp_path / "copy")
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-3])
    with pytest.raises(ModelBroken, match="was changed"):
        ServingModel.load(folder)


@pytest.mark.parametrize("broken", ["text", "fewer items", "not finite"])
def test_a_file_that_says_something_else_is_not_served(delivered, tmp_path, blend, broken):
    """Even where the manifest agrees with it."""
    folder = shutil.copytree(delivered, tmp_path / "copy")
    if broken == "text":
        (folder / FILE).write_text("nothing")
    else:
        with np.load(folder / FILE) as file:
            arrays = dict(file)
        popular = arrays["popular"]
        arrays["popular"] = popular[:, :-1] if broken == "fewer items" else popular * np.nan
        np.savez(folder / FILE, **arrays)
    manifest = json.loads((folder / MANIFEST).read_text())
    write_manifest(folder, manifest)
    with pytest.raises(ModelBroken):
        ServingModel.load(folder)


def test_a_folder_without_a_blend_answers_as_before(world, delivered, tmp_path):
    """As those do that were written before there was one: by the cosine, or what is popular."""
    folder = shutil.copytree(delivered, tmp_path / "copy")
    (folder / FILE).unlink()
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["strangers"]
    write_manifest(folder, manifest)
    served = ServingModel.load(folder)
    assert np.array_equal(served.newcomers("colour/0"), served.popular("colour/0"), equal_nan=True)
    seen = History(["item-2"], [VIEW], [world.end_ms - 1], [None])
    assert np.nanmax(np.abs(served.session(seen, world.end_ms))) < 1.2
    assert load_fitted(folder, world).strangers is None


def test_a_run_says_who_answers_strangers_and_by_which_figures(trained):
    metrics = trained[0].metrics
    ours, theirs = (metrics[f"validation_strangers_{name}_ndcg20"] for name in ("blend", "session"))
    assert metrics["validation_strangers_cases"] > 0
    assert metrics["strangers_by_blend"] == float(ours >= theirs)
    manifest = json.loads((trained[1] / MANIFEST).read_text())
    assert manifest["strangers"] == ("blend" if ours >= theirs else "session")


def test_a_blend_that_is_worse_does_not_answer(world, small, shelf, slice_):
    """In a shop where the vectors tell the colour, there is nothing to be won."""
    colour = np.zeros((world.n_items, 128), np.float32)
    colour[np.arange(world.n_items), np.arange(world.n_items) % 2] = 1
    found = judge_strangers(world, *slice_, replace(shelf, direction=colour), small)
    assert found.blend is None
    assert found.figures["strangers_by_blend"] == 0
    ours, theirs = (
        found.figures[f"validation_strangers_{name}_ndcg20"] for name in ("blend", "session")
    )
    assert ours < theirs


def test_what_comes_after_the_slice_does_not_reach_the_judgement(world, small, shelf, slice_):
    whole = judge_strangers(world, *slice_, shelf, small)
    cut = judge_strangers(world.before(slice_[1]), *slice_, shelf, small)
    assert whole.figures == cut.figures
    assert np.array_equal(whole.blend.weights, cut.blend.weights)


@pytest.mark.parametrize(
    ("items", "most"), [(0, 200), (100_000, 200), (200_000, 100), (1_000_000, 50)]
)
def test_a_shop_of_very_many_items_is_asked_less(items, most):
    """Each question scores every item, so the time would grow with both."""
    assert most_cases(items) == most


def test_without_a_question_nothing_speaks_for_the_blend(world, small, shelf, slice_):
    """Nobody arrives, or there was nothing to learn from."""
    for data, cutoff in ((world, slice_[1]), (world, int(world.ts[0]))):
        found = judge_strangers(data, cutoff, slice_[1], shelf, small)
        assert found.blend is None
        assert found.figures == {"strangers_by_blend": 0.0}

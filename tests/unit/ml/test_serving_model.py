"""Answers of the exported model."""

import numpy as np
import pytest

from ml.config import DAY_MS, PaperConfig
from ml.serving import History, ServingModel

VIEW, PURCHASE = 2, 7


@pytest.fixture(scope="module")
def served(trained) -> ServingModel:
    return ServingModel.load(trained[1])


def test_e9_the_shop_gets_the_probability_that_torch_computed(
    world, small, trained, served, history_of
):
    """Stored vectors, features from a history, calibration: equal to the batch way to 1e-5."""
    from ml.batches import Scene
    from ml.evaluation.pools import moment, touched_pool
    from ml.export import load_fitted
    from ml.scoring import score_pool
    from ml.timelines import Timelines

    model, folder, _ = trained
    fitted = load_fitted(folder, world)
    pool = touched_pool(moment(world, world.end_ms, small))
    scene = Scene(Timelines(world), world.end_ms, fitted.table, small)
    wanted = fitted.touched.apply(score_pool(fitted.model, scene, pool))
    for user in (0, 7, 22):
        own = pool.user == user
        vector = model.user_vectors[model.user_ids.index(f"c_{user}")]
        items = [world.catalogue.item_ids[item] for item in pool.item[own]]
        found = served.score(vector, history_of(world, user), now_ms=world.end_ms, items=items)
        assert np.abs(found - wanted[own]).max() < 1e-5


def test_a_person_is_shown_their_own_colour(world, trained, served, history_of):
    model = trained[0]
    right = []
    for row, user_id in enumerate(model.user_ids):
        user = int(user_id[2:])
        scores = served.score(model.user_vectors[row], history_of(world, user), now_ms=world.end_ms)
        right += [int(item[5:]) % 2 == user % 2 for item, _ in served.top(scores, 5)]
    assert np.mean(right) > 0.9


def test_scores_are_probabilities_and_unknown_items_have_none(world, trained, served):
    vector = trained[0].user_vectors[0]
    found = served.score(vector, History(), now_ms=world.end_ms, items=["item-1", "no-such"])
    assert 0 < found[0] < 1
    assert np.isnan(found[1])
    whole = served.score(vector, History(), now_ms=world.end_ms)
    assert whole.shape == (world.n_items,)
    assert whole[served.index["item-1"]] == pytest.approx(found[0], abs=1e-7)


def test_a_purchase_a_second_ago_changes_the_scores(world, trained, served):
    vector, now = trained[0].user_vectors[0], world.end_ms
    before = served.score(vector, History(), now_ms=now, items=["item-4"])
    after = served.score(
        vector, History(["item-4"], [PURCHASE], [now], [None]), now_ms=now, items=["item-4"]
    )
    assert before[0] != after[0]


def test_events_on_unknown_items_and_from_the_future_are_left_out(world, trained, served):
    vector, now = trained[0].user_vectors[0], world.end_ms
    odd = History(["gone", "item-1"], [VIEW, VIEW], [now, now + DAY_MS], [None, 5.0])
    assert np.array_equal(
        served.score(vector, odd, now_ms=now), served.score(vector, History(), now_ms=now)
    )


@pytest.mark.parametrize("vector", [[1.0], [float("nan")] * 16])
def test_a_vector_of_another_model_is_refused(served, vector):
    with pytest.raises(ValueError, match="finite numbers"):
        served.score(vector, History(), now_ms=0)


def test_a_session_is_shown_more_of_its_colour(world, served):
    now = world.end_ms
    seen = History(
        ["item-2", "item-4", "item-8"], [VIEW] * 3, [now - 3, now - 2, now - 1], [None] * 3
    )
    best = served.top(served.session(seen, now), 6, exclude=seen.item_ids)
    assert np.mean([int(item[5:]) % 2 == 0 for item, _ in best]) >= 0.8


def test_a_session_on_unknown_items_is_shown_what_newcomers_see(world, served):
    session = served.session(History(["x"], [VIEW], [1], [None]), world.end_ms)
    assert served.top(session, 5) == served.top(served.newcomers(), 5)


def test_popular_keeps_to_a_category_and_what_lies_below_it(served):
    odd = served.top(served.popular("colour/1"), 100)
    assert len(odd) == 24
    assert all(int(item[5:]) % 2 for item, _ in odd)
    assert len(served.top(served.popular("colour"), 100)) == 48
    assert served.top(served.popular("col"), 100) == []


def test_similar_leaves_itself_out_and_falls(served):
    found = served.similar("item-3", 4)
    scores = [score for _, score in found]
    assert len(found) == 4
    assert "item-3" not in dict(found)
    assert scores == sorted(scores, reverse=True)
    assert served.similar("no-such", 4) == []


def test_top_is_a_total_order_that_drops_what_is_not_finite(served):
    scores = np.full(len(served.item_ids), np.nan)
    scores[[3, 1, 2]] = 1.0
    scores[5], scores[6] = 2.0, np.inf
    assert [item for item, _ in served.top(scores, 3)] == ["item-5", "item-1", "item-2"]
    assert [item for item, _ in served.top(scores, 9, exclude=["item-1", "?"])] == [
        "item-5",
        "item-2",
        "item-3",
    ]
    assert served.top(scores, 0) == []


def test_items_never_sold_are_not_listed_unless_new(events, small):
    from ml.dataset import Catalogue
    from ml.export import listed

    data = events((0, 0, VIEW, 1, 1))
    now = data.end_ms
    made = [0, now - 60 * DAY_MS, now - DAY_MS, now + DAY_MS]
    grown = type(data)(
        user=data.user,
        item=data.item,
        code=data.code,
        ts=data.ts,
        price=data.price,
        user_ids=data.user_ids,
        catalogue=Catalogue.of(list("abcd"), created_at=made),
    )
    assert listed(grown, now).tolist() == [True, False, True, False]


def test_the_serving_path_imports_no_torch():
    import subprocess
    import sys

    code = "import sys, ml.serving; sys.exit('torch' in sys.modules or 'gensim' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_loading_again_gives_the_same_answers(world, trained, served):
    again = ServingModel.load(trained[1])
    vector = trained[0].user_vectors[1]
    assert np.array_equal(
        again.score(vector, History(), now_ms=world.end_ms),
        served.score(vector, History(), now_ms=world.end_ms),
        equal_nan=True,
    )
    assert isinstance(PaperConfig.of({}), PaperConfig)


def test_links_are_the_neighbours_among_others(served):
    """As the graph has them; unknown ids have none."""
    row = served.index["item-3"]
    near = [served.item_ids[other] for other in served.neighbour[row] if other >= 0]
    found = served.links(["no-such", "item-3"], ["item-3", "nobody", *near[:2]])
    cosines = served.neighbour_cosine[row]
    assert found == [("item-3", near[k], pytest.approx(float(cosines[k]))) for k in range(2)]
    assert served.links([], near) == []
    assert served.links(["item-3"], []) == []

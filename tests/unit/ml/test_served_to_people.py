"""What a trained model of the checkerboard shows to whom, asked over the API."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from backend import people
from graph import models
from graph.domain.events import ITEM_BEHAVIOURS
from graph.domain.ids import ItemId
from graph.events import PastEvent
from ml.batches import Scene
from ml.dataset import Interactions
from ml.evaluation.pools import moment, touched_pool
from ml.export import load_fitted
from ml.scoring import score_pool
from ml.serving import History, ServingModel
from ml.timelines import Timelines
from tests.factories import SERVER, World, known, stored_model, world

VIEW = 2
KINDS = {behaviour.code: kind for kind, behaviour in ITEM_BEHAVIOURS.items()}


@pytest.fixture(scope="module")
def served(trained) -> ServingModel:
    return ServingModel.load(trained[1])


def shop(served: ServingModel, *past: PastEvent, embedding: list[float]) -> World:
    """The API with this very model, asked by one customer."""
    here = world(
        answers={people.look_up: known(*past, embedding=embedding, pointer=served.version)}
    )
    here.versions[served.version] = served
    here.graph.answers[models.live] = stored_model(served.version)
    here.models.refresh()
    return here


def past_of(data: Interactions, user: int) -> list[PastEvent]:
    """All events of a person, newest first, as the graph has them."""
    own = np.flatnonzero(data.user == user)[::-1]
    return [
        PastEvent(
            KINDS[int(data.code[row])],
            ItemId(data.catalogue.item_ids[data.item[row]]),
            int(data.ts[row]),
            round(float(data.price[row])),
        )
        for row in own.tolist()
    ]


def asked(here: World, limit: int) -> dict[str, Any]:
    path = f"/v1/recommendations?user_id=u-1&limit={limit}"
    told: dict[str, Any] = orjson.loads(here.client.get(path, headers=SERVER).data)
    return told


@pytest.mark.parametrize("user", [0, 7, 22])
def test_e9_the_api_says_what_the_forward_pass_of_training_says(
    world: Interactions, small, trained, served, user
) -> None:
    """Scores of the list equal those of torch on the same pairs to 1e-5, in the same order."""
    fitted = load_fitted(trained[1], world)
    pool = touched_pool(moment(world, world.end_ms, small))
    scene = Scene(Timelines(world), world.end_ms, fitted.table, small)
    wanted = fitted.touched.apply(score_pool(fitted.model, scene, pool))
    assert served.intent is None
    vector = trained[0].user_vectors[trained[0].user_ids.index(f"c_{user}")]
    here = shop(served, *past_of(world, user), embedding=vector.tolist())
    told = asked(here, 100)
    assert (told["level"], told["model_version"]) == ("personal", served.version)
    found = {place["item_id"]: place["score"] for place in told["items"]}
    own = pool.user == user
    items = [world.catalogue.item_ids[item] for item in pool.item[own]]
    shown = [item for item in items if item in found]
    by_torch = dict(zip(items, wanted[own], strict=True))
    assert len(shown) > 10
    assert max(abs(found[item] - by_torch[item]) for item in shown) < 1e-5
    order = [item for item in found if item in by_torch]
    assert order == sorted(order, key=lambda item: (-found[item], item))


def test_g2_lists_of_different_people_differ(world, trained, served, history_of) -> None:
    """People of one colour share half of a list at most on average, of two colours hardly any."""
    model = trained[0]
    lists = []
    for row, user_id in enumerate(model.user_ids):
        history = history_of(world, int(user_id[2:]))
        scores = served.score(model.user_vectors[row], history, now_ms=world.end_ms)
        lists.append({item for item, _ in served.top(scores, 10)})
    overlap = np.mean([len(a & b) / 10 for a, b in itertools.combinations(lists, 2)])
    assert overlap < 0.6, f"mean overlap of two lists {overlap:.2f}"
    assert len(set(map(frozenset, lists))) > len(lists) / 2


@pytest.mark.parametrize("events", [0, 1, 3, 5])
def test_e16_a_person_of_few_events_has_a_list_that_beats_popularity(world, served, events) -> None:
    """From one event on; popularity is as often wrong as right about a colour."""
    right = []
    for colour in (0, 1):
        seen = [f"item-{2 * step + colour}" for step in range(events)]
        ts = [world.end_ms - events + step for step in range(events)]
        history = History(seen, [VIEW] * events, ts, [None] * events)
        shown = served.top(served.session(history, world.end_ms), 10, exclude=seen)
        assert len(shown) == 10
        right += [int(item[5:]) % 2 == colour for item, _ in shown]
    if events:
        assert np.mean(right) >= 0.8


def test_e12_figures_of_one_seed_are_the_ones_written_down(trained) -> None:
    """Whoever changes what a run finds changes that file too, and says why."""
    golden = json.loads((Path(__file__).parent / "golden_figures.json").read_text())
    test = trained[0].report["test"]
    found = {name: round(test[name]["ap"], 4) for name in golden}
    assert found == pytest.approx(golden, abs=0.004)

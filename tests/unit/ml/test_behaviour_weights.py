"""What one event counts, and what it changes when a shop says otherwise."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ml.behaviours import CART, WEIGHTS, named, weights_of
from ml.delivery import deliver
from ml.export import load_fitted
from ml.features.items import item_counters
from ml.serving import History, ServingModel

VIEW = 2


def test_weights_change_by_name_and_the_others_stay() -> None:
    changed = weights_of({"cart": 9.0})
    assert changed[CART] == 9.0
    others = np.arange(len(WEIGHTS)) != CART
    assert np.array_equal(changed[others], WEIGHTS[others])
    assert named(changed)["cart"] == 9.0


@pytest.mark.parametrize("told", [{"stare": 1.0}, {"identify": 1.0}, {"cart": float("nan")}])
def test_a_weight_of_nothing_and_a_weight_that_is_none_are_refused(told) -> None:
    with pytest.raises(ValueError, match=next(iter(told))):
        weights_of(told)


@pytest.fixture(scope="module")
def carted(world):
    """The checkerboard, in whose end item 2 is put into carts, and item 4 looked at still more."""
    carts = 1000
    views = int(1.5 * carts * WEIGHTS[CART] / WEIGHTS[VIEW])
    n = carts + views
    added = {
        "user": np.arange(n) % world.n_users,
        "item": np.repeat([2, 4], [carts, views]),
        "code": np.repeat([CART, VIEW], [carts, views]),
        "ts": world.end_ms - 1 - np.arange(n),
    }
    return type(world).of(
        **{name: np.append(getattr(world, name), more) for name, more in added.items()},
        price=np.append(world.price, np.full(n, 100.0)),
        user_ids=world.user_ids,
        catalogue=world.catalogue,
    )


def test_g14_twice_the_weight_of_a_cart_moves_lists_towards_carted_items(
    carted, trained, tmp_path
) -> None:
    """Popular items and sessions alike; the weights stand in the model's card."""
    fitted = load_fitted(trained[1], carted)
    usual = WEIGHTS[CART]
    told = replace(fitted.config, behaviour_weights={"cart": 2 * usual})
    ranks = []
    for name, config in (("usual", fitted.config), ("twice", told)):
        folder = tmp_path / name
        data = carted.weighed(config.behaviour_weights)
        deliver(replace(fitted, config=config, strangers=None), data, {}, folder, name)
        served = ServingModel.load(folder)
        order = [item for item, _ in served.top(served.popular(), 48)]
        card = json.loads((folder / "manifest.json").read_text())["behaviour_weights"]
        assert card["cart"] == WEIGHTS[CART] * (1 + (name == "twice"))
        seen = History(["item-2", "item-5"], [CART, VIEW], [1, 2], [None, None])
        near = served.session(seen, served.as_of_ms)
        ranks.append((order.index("item-2"), near[2] - near[5]))
    assert ranks[1][0] < ranks[0][0]
    assert ranks[1][1] > ranks[0][1]


def test_weights_reach_the_counters_of_items(carted) -> None:
    """Carts of before count twice as much, everything else as ever."""
    heavy = carted.weighed({"cart": 2 * WEIGHTS[CART]})
    usual, changed = (item_counters(data, carted.end_ms, 20) for data in (carted, heavy))
    assert changed.popularity[2] > usual.popularity[2]
    untouched = np.setdiff1d(np.arange(carted.n_items), carted.item[carted.code == CART])
    assert np.array_equal(changed.popularity[untouched], usual.popularity[untouched])
    assert np.array_equal(changed.week, usual.week)

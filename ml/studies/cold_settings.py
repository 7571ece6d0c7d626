"""The data sets on which strangers are asked about, and when."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.cold.anil import AnilConfig
from ml.fusion.config import FusionConfig
from ml.studies.cold_data import JOURNEY_SHARE, Shop, by_category, journey, taobao

TAOBAO_LAST_DAY_MS = 1_512_259_200_000
"""3 December 2017, as if Beijing's time were UTC."""

ABLATE_UP_TO = 20_000
"""Items of a log in three parts; with more of them an ablation takes longer than all the rest."""

EVENTS_ONLY = FusionConfig(
    steps=8,
    own_edges=True,
    hops=0,
    count_gate=True,
    id_dropout=0.2,
    first=True,
    cosine=False,
    popular=True,
)
"""Nothing is known of a person but the events; what is known of items counts from the first."""

PEOPLE = (
    "People are strangers: all they ever did is left out of training; models learn from the "
    "others' events before the cutoff alone. Asked after exactly so many of a stranger's first "
    "events from the cutoff on; right is every distinct item touched later within {ahead}, none "
    "left out. The catalogue is all that those who train touched before the cutoff, and what the "
    "stranger has touched so far. "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """
    One data set under the protocol.

    Attributes:
        parts, asked: people are dealt into so many parts; so many of them are strangers in turn.
        cutoff: of the test; everything that is learned lies before.
        arrivals: after which shares of the past the blend learns its weights.
        ablate: also learn the blend without each piece of its evidence.
    """

    name: str
    title: str
    protocol: str
    shop: Shop
    cutoff: int
    horizon_days: float
    parts: int
    asked: int
    groups: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    towers: FusionConfig = field(default_factory=FusionConfig)
    anil: AnilConfig = field(default_factory=AnilConfig)
    arrivals: tuple[float, ...] = (0.6, 0.75, 0.9)
    ablate: bool = True


def journey_setting() -> Setting:
    """Complete Journey: a third of the households are strangers at the end of November."""
    shop, cutoff = journey()
    return Setting(
        name="cold_journey",
        title="Complete Journey, cold start",
        protocol=PEOPLE.format(ahead="7 days")
        + f"The cutoff is where {JOURNEY_SHARE:.0%} of all receipt lines lie before; two thirds "
        "of the households train, a third, drawn at random, are the strangers. A receipt's lines "
        "carry one time, their order is drawn at random.",
        shop=shop,
        cutoff=cutoff,
        horizon_days=7,
        parts=3,
        asked=1,
        groups=_groups(shop),
        towers=replace(EVENTS_ONLY, epochs=2, batch=8192),
        arrivals=(0.7, 0.9),
    )


def items_setting(folder: Path) -> Setting:
    """Taobao on its last day; raises ``FileNotFoundError``."""
    return _taobao("cold_taobao", "Taobao, cold start, items", taobao(folder))


def categories_setting(folder: Path) -> Setting:
    """The same with categories in place of items."""
    shop = by_category(taobao(folder))
    return _taobao("cold_taobao_categories", "Taobao, cold start, categories", shop)


def _taobao(name: str, title: str, shop: Shop) -> Setting:
    return Setting(
        name=name,
        title=title,
        protocol=PEOPLE.format(ahead="24 hours")
        + "The cutoff is the last day of the log; people are dealt into three parts, each is the "
        "strangers once while the others train.",
        shop=shop,
        cutoff=TAOBAO_LAST_DAY_MS,
        horizon_days=1,
        parts=3,
        asked=3,
        ablate=shop.lives.n_items < ABLATE_UP_TO,
        groups={} if len(shop.category) == shop.category.max() + 1 else _groups(shop),
        towers=replace(EVENTS_ONLY, epochs=3, batch=1024),
    )


def _groups(shop: Shop) -> dict[str, NDArray[np.int64]]:
    found = {"category": shop.category, "section": shop.section}
    found |= {} if shop.brand is None else {"brand": shop.brand}
    found |= {} if shop.price is None else {"price": shop.price}
    if np.array_equal(shop.category, shop.section):
        found.pop("section")
    return found

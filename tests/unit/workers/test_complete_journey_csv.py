"""Complete Journey as CSV files."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from graph.domain.ids import ItemId
from workers.connectors.errors import SourceMissing
from workers.connectors.files.complete_journey import CompleteJourney
from workers.connectors.files.complete_journey_csv import parquet_folder
from workers.connectors.files.complete_journey_promotions import promotions

FILES = {
    "transactions_sample": """\
household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,transaction_timestamp
2,8,71,11,1.0,1.5,0.0,2017-03-03 01:00:00
1,9,7e1,11,2.0,3.0,0.0,2017-03-03 00:00:00
2,8,71,12,1.0,2.5,0.0,2017-03-03 01:00:00
1,9,70,12,0.0,0.99,0.0,2017-03-03 00:00:00
""",
    "products": """\
product_id,manufacturer_id,department,brand,product_category,product_type,package_size
11,5,GROCERY,National,TEA,GREEN TEA,1 LB
12,5,GROCERY,National,,,
""",
    "campaigns": "campaign_id,household_id\n1,1\n1,3\n",
    "campaign_descriptions": """\
campaign_id,campaign_type,start_date,end_date
1,Type A,2017-03-03,2017-04-09
""",
    "coupons": "coupon_upc,product_id,campaign_id\n51380041013,11,1\n51380041013,11,1\n",
    "coupon_redemptions": """\
household_id,coupon_upc,campaign_id,redemption_date
1,51380041013,1,2017-03-04
""",
}


def written(folder: Path, *, without: str = "", **changed: str) -> Path:
    for name, text in (FILES | changed).items():
        if name != without:
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def orders(data: CompleteJourney) -> list[tuple[str, list[str]]]:
    raws: list[Any] = [row.raw for row in data.rows(after=0)]
    return [(raw["order_id"], [line["item_id"] for line in raw["lines"]]) for raw in raws]


def test_lines_of_a_basket_come_together_in_order_of_time(tmp_path: Path) -> None:
    """Also where a number is written with an exponent, as one in the published sample is."""
    with parquet_folder(written(tmp_path)) as folder:
        assert orders(CompleteJourney(folder)) == [("70", ["11", "12"]), ("71", ["11", "12"])]


def test_a_sample_without_promotions_has_all_else(tmp_path: Path) -> None:
    with parquet_folder(written(tmp_path)) as folder:
        data = CompleteJourney(folder)
        assert promotions(data.promotions_file) == []
        items = {item.item_id: item for item in data.items()}
        assert items[ItemId("11")].categories == ("GROCERY > TEA",)
        assert items[ItemId("12")].categories == ("GROCERY",)
        (coupon,) = data.coupons()
        assert (coupon.coupon_id, coupon.item_ids) == ("51380041013-1", ("11",))
        (campaign,) = data.campaigns()
        assert (campaign.ends_at - campaign.starts_at) // 3_600_000 == 38 * 24 - 1, "summer began"
        assert data.households() == ["1", "3"]


def test_a_folder_of_parquet_files_is_read_as_it_is(tmp_path: Path) -> None:
    with parquet_folder(tmp_path) as folder:
        assert folder == tmp_path


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    wanted = name.removesuffix("_sample")
    with (
        pytest.raises(SourceMissing, match=f"no {wanted}.csv"),
        parquet_folder(written(tmp_path, without=name)),
    ):
        pass


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "campaign_id,household_id\none,2\n", "campaign_id,household_id\n1.5,2\n"]
)
def test_a_file_of_other_content_is_named(tmp_path: Path, text: str) -> None:
    with (
        pytest.raises(SourceMissing, match=r"campaigns.csv.gz is not the campaigns"),
        parquet_folder(written(tmp_path, campaigns=text)),
    ):
        pass

"""Complete Journey as CSV files, such as a sample of it: written out as its parquet files."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from workers.connectors.errors import SourceMissing

_ID, _DAY, _TEXT = pa.int64(), pa.timestamp("ms"), pa.string()
_COLUMNS: Mapping[str, Mapping[str, pa.DataType]] = {
    "transactions": {
        "household_id": _ID, "store_id": _ID, "basket_id": _ID, "product_id": _ID,
        "quantity": _ID, "sales_value": pa.float64(), "transaction_timestamp": _DAY,
    },
    "products": {
        "product_id": _ID, "manufacturer_id": _ID, "department": _TEXT, "brand": _TEXT,
        "product_category": _TEXT, "product_type": _TEXT, "package_size": _TEXT,
    },
    "promotions": {
        "product_id": _ID, "store_id": _ID, "display_location": _TEXT, "mailer_location": _TEXT,
        "week": _ID,
    },
    "campaigns": {"campaign_id": _ID, "household_id": _ID},
    "campaign_descriptions": {
        "campaign_id": _ID, "campaign_type": _TEXT, "start_date": _DAY, "end_date": _DAY,
    },
    "coupons": {"coupon_upc": _ID, "product_id": _ID, "campaign_id": _ID},
    "coupon_redemptions": {
        "household_id": _ID, "coupon_upc": _ID, "campaign_id": _ID, "redemption_date": _DAY,
    },
}  # fmt: skip
_MAY_LACK = "promotions"
"""20.9 million rows, so samples come without it."""


@contextmanager
def parquet_folder(folder: Path) -> Iterator[Path]:
    """
    The folder itself; where it holds only CSV files, plain or ``.gz``, one with them as parquet.

    A file may have ``_sample`` behind its name. Lines of a basket are put together, baskets in
    order of time.

    Raises:
        SourceMissing: a file is not there, or is not what its name says.
    """
    if any(folder.glob("*.parquet")) or not any(folder.glob("*.csv*")):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="shopgraph-journey-") as place:
        for name in _COLUMNS:
            pq.write_table(_table(folder, name), Path(place) / f"{name}.parquet")
        yield Path(place)


def _table(folder: Path, name: str) -> pa.Table:
    types = _COLUMNS[name]
    endings = ("", "_sample")
    found = [
        path
        for path in (folder / f"{name}{end}.csv{gz}" for end in endings for gz in ("", ".gz"))
        if path.is_file()
    ]
    if not found:
        if name == _MAY_LACK:
            return pa.schema(types.items()).empty_table()
        raise SourceMissing(f"there is no {name}.csv or {name}.csv.gz in {folder}")
    # Whole numbers are found as 1.0 and 4.0128e+10 too.
    written = {column: pa.float64() if type_ is _ID else type_ for column, type_ in types.items()}
    convert = pcsv.ConvertOptions(
        column_types=written, include_columns=list(types), strings_can_be_null=True
    )
    try:
        read = pcsv.read_csv(found[0], convert_options=convert)
        table = read.cast(pa.schema(types.items()))
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise SourceMissing(
            f"{found[0].name} is not the {name} of Complete Journey: {error}"
        ) from None
    if name != "transactions":
        return table
    order = ("transaction_timestamp", "basket_id", "product_id")
    return table.sort_by([(column, "ascending") for column in order])

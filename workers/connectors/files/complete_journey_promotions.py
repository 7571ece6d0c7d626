"""Complete Journey's 20.9 million rows of displays and mailers, as a few thousand edges a node."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from graph.domain.catalogue import PromotedItem, Promotion
from graph.domain.ids import ItemId, PromotionId
from workers.connectors.files.complete_journey import week_start_ms

_NONE = "0"
_KINDS = {
    "display": {
        "1": "store front", "2": "store rear", "3": "front end cap", "4": "mid-aisle end cap",
        "5": "rear end cap", "6": "side-aisle end cap", "7": "in-aisle", "9": "secondary display",
        "A": "in-shelf",
    },
    "mailer": {
        "A": "interior page feature", "C": "interior page line item", "D": "front page feature",
        "F": "back page feature", "H": "wrap front feature", "J": "wrap interior coupon",
        "L": "wrap back feature", "P": "interior page coupon", "X": "free on interior page",
        "Z": "free on front page, back page or wrap",
    },
}  # fmt: skip
"""Where a product stood or was printed, by the letter of the data."""

_WEEKS = 64
_ROWS = 1_048_576


def promotions(file: Path) -> list[Promotion]:
    """One promotion per place; per product the weeks it ran, and in how many stores."""
    products: dict[int, int] = {}
    found: list[Promotion] = []
    counted: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {}
    for product, week, places in _read(file, products):
        for kind, (codes, letters) in places.items():
            for code, letter in enumerate(letters):
                if letter == _NONE:
                    continue
                keys = product[codes == code] * _WEEKS + week[codes == code]
                if len(keys):
                    pairs = np.unique(keys, return_counts=True)
                    counted.setdefault(f"{kind}:{letter}", []).append(pairs)
    ids = [str(product_id) for product_id in products]
    for name in sorted(counted):
        found.append(_promotion(name, *_summed(counted.pop(name)), ids))
    return found


def _read(
    file: Path, products: dict[int, int]
) -> Iterator[
    tuple[NDArray[np.int64], NDArray[np.int64], dict[str, tuple[NDArray[np.int64], list[str]]]]
]:
    source = pq.ParquetFile(file, read_dictionary=["display_location", "mailer_location"])
    columns = ["product_id", "week", "display_location", "mailer_location"]
    for batch in source.iter_batches(_ROWS, columns=columns):
        seen, inverse = np.unique(batch["product_id"].to_numpy(), return_inverse=True)
        index = np.array([products.setdefault(int(one), len(products)) for one in seen])
        places = {kind: _codes(batch[f"{kind}_location"]) for kind in _KINDS}
        yield index[inverse], batch["week"].to_numpy(), places


def _codes(column: pa.DictionaryArray) -> tuple[NDArray[np.int64], list[str]]:
    codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, column.dictionary.to_pylist()


def _summed(
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    keys, inverse = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    stores = np.zeros(len(keys), dtype=np.int64)
    np.add.at(stores, inverse, np.concatenate([part[1] for part in parts]))
    return keys, stores


def _promotion(
    name: str, keys: NDArray[np.int64], stores: NDArray[np.int64], ids: list[str]
) -> Promotion:
    product, week = np.divmod(keys, _WEEKS)
    starts = [week_start_ms(number) for number in range(_WEEKS + 1)]
    cuts = np.flatnonzero(np.diff(product)) + 1
    items = [
        PromotedItem(
            item_id=ItemId(ids[int(one[0])]),
            starts=tuple(starts[number] for number in weeks.tolist()),
            stores=tuple(counts.tolist()),
        )
        for one, weeks, counts in zip(
            np.split(product, cuts), np.split(week, cuts), np.split(stores, cuts), strict=True
        )
    ]
    kind, _, letter = name.partition(":")
    return Promotion(
        promotion_id=PromotionId(name),
        kind=kind,
        title=_KINDS[kind].get(letter, letter),
        starts_at=starts[int(week.min())],
        ends_at=starts[int(week.max()) + 1],
        items=tuple(items),
    )

"""Somebody's CSV with a mapping file."""

from pathlib import Path
from typing import Any

import pytest

from workers.connectors.errors import SourceMissing, SourceUnreadable
from workers.connectors.files.log_file import LogFile
from workers.connectors.files.mapping import read_mapping
from workers.connectors.rows import SourceRow

MAPPING = """
source = "till"
delimiter = ";"
[columns]
event_type = "action"
event_time = "when"
user_id = "customer"
item_id = "sku"
price = "paid"
quantity = "pieces"
[values.event_type]
sold = "purchase"
seen = "view"
[fixed]
currency = "CNY"
[time]
zone = "Asia/Shanghai"
format = "%d.%m.%Y %H:%M"
"""
HEADING = "customer;sku;action;when;paid;pieces;till\n"


def read(tmp_path: Path, text: str, mapping: str = MAPPING) -> list[SourceRow]:
    """All rows of a file with this text."""
    (tmp_path / "map.toml").write_text(mapping)
    (tmp_path / "sales.csv").write_text(text)
    layout = read_mapping(tmp_path / "map.toml")
    return list(LogFile(tmp_path / "sales.csv", layout).rows(after=0))


def test_columns_become_fields(tmp_path: Path) -> None:
    """Values are translated, prices become minor units, times of the wall become moments."""
    (row,) = read(
        tmp_path, HEADING + "17.0;A-1;sold;02.03.2026 00:10;12,50;2;9\n".replace(",", ".")
    )
    assert row.raw == {
        "event_id": "sales:2", "source": "till", "event_type": "purchase", "order_id": "sales:2",
        "event_time": 1_772_381_400_000, "user_id": "17", "item_id": "A-1",
        "price_minor": 1250, "currency": "CNY", "quantity": 2,
    }  # fmt: skip


def test_j6_a_time_without_a_zone_is_one_of_the_zone_that_was_named(tmp_path: Path) -> None:
    """Ten past midnight in Beijing is the afternoon before in UTC."""
    (row,) = read(tmp_path, HEADING + "17;A-1;seen;02.03.2026 00:10;;;9\n")
    assert isinstance(row.raw, dict)
    assert row.raw["event_time"] == 1_772_381_400_000  # 2026-03-01T16:10:00Z
    assert not {"currency", "price_minor", "quantity"} & row.raw.keys()


def test_values_that_the_mapping_does_not_know_are_said(tmp_path: Path) -> None:
    """And so are times in another form; the rows beside them are taken."""
    lines = (
        "17;A;lost;02.03.2026 00:10;;;9\n17;A;seen;2026-03-02;;;9\n17;A;seen;02.03.2026 00:10;;;9\n"
    )
    found = read(tmp_path, HEADING + lines)
    assert [row.problem for row in found] == ["unknown_event_type", "invalid_time", ""]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("item_id", "item"), "no fields of events: item"),
        (('event_type = "action"\n', ""), "nothing says the event_type"),
        (('currency = "CNY"\n', ""), "prices need a currency"),
        (("Asia/Shanghai", "Asia/Nowhere"), "no known zone"),
        (('zone = "Asia/Shanghai"', 'unit = "s"'), "either a unit, or a zone"),
        (("[time]", "[time"), "is no TOML"),
        (("[fixed]", "[fixtures]"), "fixtures: Extra inputs"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(
    change: tuple[str, str], sentence: str, tmp_path: Path
) -> None:
    """In one sentence, before the data are looked at."""
    with pytest.raises(SourceUnreadable, match=sentence):
        read(tmp_path, HEADING, MAPPING.replace(*change))


def test_a_mapping_that_is_not_there(tmp_path: Path) -> None:
    """Is named."""
    with pytest.raises(SourceMissing, match=r"there is no file .*map\.toml"):
        read_mapping(tmp_path / "map.toml")


@pytest.mark.parametrize(("unit", "text"), [("s", "1772381400"), ("us", "1772381400000000")])
def test_numbers_have_the_unit_that_was_named(unit: str, text: str, tmp_path: Path) -> None:
    """Nothing is guessed from their size."""
    mapping: Any = MAPPING.replace('zone = "Asia/Shanghai"', f'unit = "{unit}"')
    mapping = mapping.replace('format = "%d.%m.%Y %H:%M"\n', "")
    (row,) = read(tmp_path, HEADING + f"17;A-1;seen;{text};;;9\n", mapping)
    assert isinstance(row.raw, dict)
    assert row.raw["event_time"] == 1_772_381_400_000

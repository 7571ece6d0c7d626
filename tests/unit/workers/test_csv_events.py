"""CSV files as rows of events: whatever the quoting, and each bad record alone."""

import gzip
from pathlib import Path

import pytest

from workers.connectors.errors import SourceMissing, SourceUnreadable
from workers.connectors.files.csv_events import CsvEvents, CsvForm
from workers.connectors.rows import SourceRow
from workers.intake.times import EpochMs

HEADING = "event_id,event_type,user_id,item_id,event_time,quantity"
GOOD = 'e1,view,u-1,"颜色,""红""\n大",2026-03-01T08:00:00+08:00,2'


def written(tmp_path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    """A file of these lines."""
    path = tmp_path / "events.csv"
    path.write_bytes("\r\n".join(lines).encode(encoding, "surrogateescape"))
    return path


def read(path: Path, form: CsvForm | None = None, *, after: int = 0) -> list[SourceRow]:
    """All rows."""
    return list(CsvEvents(path, form).rows(after=after))


def test_quotes_commas_line_breaks_and_chinese_text_stay_in_their_cell(tmp_path: Path) -> None:
    """The line of a record is where it begins, its end where the next one does."""
    rows = read(written(tmp_path, "\ufeff" + HEADING, GOOD, "", "e2,view,u-2,i,t,"))
    assert rows[0].raw == {
        "event_id": "e1", "event_type": "view", "user_id": "u-1", "item_id": '颜色,"红"\n大',
        "event_time": "2026-03-01T08:00:00+08:00", "quantity": 2,
    }  # fmt: skip
    assert [(row.line, row.end) for row in rows] == [(2, 3), (5, 5)]
    assert rows[1].raw == {
        "event_id": "e2", "event_type": "view", "user_id": "u-2", "item_id": "i", "event_time": "t"
    }  # fmt: skip


def test_a_record_with_too_few_cells_has_no_value(tmp_path: Path) -> None:
    """It is refused alone, with its line."""
    rows = read(written(tmp_path, HEADING, "e1,view", GOOD))
    assert [row.raw is None for row in rows] == [True, False]


def test_a_cell_that_is_too_large_spoils_its_own_record_only(tmp_path: Path) -> None:
    """The reader's limit is no end of the file."""
    rows = read(written(tmp_path, HEADING, f"e1,view,u,{'x' * 200_000},t,1", GOOD))
    assert rows[0].raw is None
    assert rows[-1].raw is not None


def test_reading_goes_on_after_any_line(tmp_path: Path) -> None:
    """As an import does that was cut short."""
    path = written(tmp_path, HEADING, GOOD, GOOD, GOOD)
    assert [row.line for row in read(path, after=3)] == [4, 6]


def test_objects_are_json_or_columns_of_their_own(tmp_path: Path) -> None:
    """And JSON that is none is left for the door to refuse."""
    heading = "event_id,event_type,event_time,context.page,context.tz_offset_min,attributes,lines"
    path = written(tmp_path, heading, 'e,purchase,t,/p,480,"{""a"": [1, null]}",[{')
    assert read(path)[0].raw == {
        "event_id": "e", "event_type": "purchase", "event_time": "t",
        "context": {"page": "/p", "tz_offset_min": 480}, "attributes": {"a": [1, None]},
        "lines": "[{",
    }  # fmt: skip


def test_numbers_are_times_only_with_a_named_unit(tmp_path: Path) -> None:
    """Nothing guesses whether it is seconds."""
    path = written(tmp_path, "event_id,event_type,event_time", "e,view,1772352000")
    assert read(path)[0].raw == {
        "event_id": "e", "event_type": "view", "event_time": "1772352000"
    }  # fmt: skip
    raw = read(path, CsvForm(time_unit="s"))[0].raw
    assert isinstance(raw, dict)
    assert raw["event_time"] == EpochMs(1_772_352_000_000)


def test_other_encodings_are_named_and_bad_bytes_stay_in_their_row(tmp_path: Path) -> None:
    """A file is not lost for one byte."""
    path = written(tmp_path, HEADING, GOOD, encoding="gb18030")
    raw = read(path, CsvForm(encoding="gb18030"))[0].raw
    assert isinstance(raw, dict)
    assert raw["item_id"].startswith("颜色")
    path.write_bytes(path.read_bytes().replace(b"u-1", b"u-\xff"))
    assert len(read(path)) == 1


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    """By the end of its name."""
    path = tmp_path / "events.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADING}\n{GOOD}".encode()))
    assert len(read(path)) == 1


@pytest.mark.parametrize(
    "heading",
    ["", "a,b,c", "event_id,event_type,user_id", HEADING + ",strange", HEADING + ",quantity"],
)
def test_a_heading_of_something_else_is_refused_at_once(tmp_path: Path, heading: str) -> None:
    """Before the first row is sent anywhere."""
    with pytest.raises(SourceUnreadable):
        CsvEvents(written(tmp_path, heading, GOOD))


def test_a_missing_file_and_an_unknown_encoding_are_told(tmp_path: Path) -> None:
    """In one sentence each."""
    with pytest.raises(SourceMissing):
        CsvEvents(tmp_path / "none.csv")
    with pytest.raises(SourceUnreadable, match="encoding"):
        CsvEvents(written(tmp_path, HEADING), CsvForm(encoding="klingon"))

"""Imports into a real graph: bad rows stop nothing, a second run adds nothing."""

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graph import counts, items
from graph.client import Graph
from graph.domain.ids import ItemId
from workers.connectors.catalogue import ToldItems
from workers.connectors.files.complete_journey import CompleteJourney
from workers.connectors.files.csv_events import CsvEvents
from workers.connectors.files.json_lines import JsonLines
from workers.connectors.files.layouts import LAYOUTS
from workers.connectors.files.log_file import LogFile
from workers.connectors.imports import CHUNK_ROWS, Imported, ImportRun
from workers.connectors.journey_import import JourneyImport, JourneyImported
from workers.connectors.rejects import RejectFile
from workers.connectors.rows import Source
from workers.ingest.consumer import Consumer
from workers.ingest.settings import IngestSettings
from workers.intake.changes import CatalogueChanges
from workers.intake.door import Door
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.stream import EventStream

PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))


@pytest.fixture
def ingesting(graph: Graph, redis_url: str) -> Iterator[None]:
    """An ingest worker that runs beside the test."""
    consumer = Consumer(graph, redis_url, IngestSettings(block_ms=20))
    thread = threading.Thread(target=consumer.run)
    thread.start()
    yield
    consumer.stop()
    thread.join()


def bring_in(source: Source, graph: Graph, redis_url: str, rejects: Path) -> Imported:
    """One run of an import, until all of it is in the graph."""
    told = ToldItems(graph, CatalogueChanges(redis_url))
    run = ImportRun(Door(PSEUDONYMS), EventStream(redis_url), graph, catalogue=told)
    after = run.resume_after(source)
    with RejectFile(rejects, resumed=after > 0) as file:
        done = run.send(source, file, after=after)
    run.drain()
    return done


def lines(number: int) -> list[bytes]:
    """Good events of many people and items, one per line."""
    return [
        json.dumps(
            {
                "event_id": f"e{n}",
                "event_type": "view",
                "user_id": f"u-{n % 50 + 1}",
                "item_id": f'颜色,"{n % 20}"\n',
                "event_time": "2020-03-01T08:00:00+08:00",
            }
            | {"item_id": f'颜色,"{n % 20}"'},
            ensure_ascii=False,
        ).encode()
        for n in range(number)
    ]


@pytest.mark.usefixtures("ingesting")
def test_a10_one_bad_row_is_in_the_reject_file_and_a_second_run_adds_nothing(
    graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """BOM, CRLF and blank lines; the reject file has line number and reason."""
    rows = lines(3_000)
    rows[1_234] = b'{"event_id": "bad", "event_type": "view"'
    rows[2_000] = b'{"event_id": "worse", "event_type": "view", "user_id": "null"}'
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(rows) + b"\r\n\r\n")
    rejects = tmp_path / "rejects.jsonl"

    done = bring_in(JsonLines(path), graph, redis_url, rejects)
    assert (done.events, done.rejected) == (2_998, 2)
    assert graph.read(counts.counts).relationships["VIEWED"] == 2_998
    notes = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [note["line"] for note in notes] == [1_235, 2_001]
    assert "missing_field: item_id" in notes[1]["reason"]

    again = bring_in(JsonLines(path), graph, redis_url, rejects)
    assert again.events == 0
    assert graph.read(counts.counts).relationships["VIEWED"] == 2_998


@pytest.mark.usefixtures("ingesting")
def test_a10_csv_of_ten_thousand_rows_one_of_them_bad(
    graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """Quotes, commas, line breaks inside quotes, BOM, CRLF and Chinese text."""
    records = [
        f'e{n},view,u-{n % 50 + 1},"颜色,""红{n % 20}""",2020-03-01T08:00:00+08:00,"大\r\n码, M"'
        for n in range(10_000)
    ]
    records[4_321] = records[4_321].replace("view", "glance")
    heading = "event_id,event_type,user_id,item_id,event_time,context.page"
    path = tmp_path / "events.csv"
    path.write_bytes(("\ufeff" + "\r\n".join([heading, *records])).encode())
    rejects = tmp_path / "rejects.jsonl"

    done = bring_in(CsvEvents(path), graph, redis_url, rejects)
    assert (done.events, done.rejected) == (9_999, 1)
    assert graph.read(counts.counts).relationships["VIEWED"] == 9_999
    note = json.loads(rejects.read_text())
    assert (note["line"], note["reason"]) == (2 * 4_321 + 2, "unknown_event_type: event_type")
    assert bring_in(CsvEvents(path), graph, redis_url, rejects).events == 0


@pytest.mark.usefixtures("ingesting")
def test_an_import_that_was_cut_short_goes_on_and_a_lost_bookmark_adds_nothing(
    graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """The bookmark tells exactly what is on the stream; without it the event ids do."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(lines(2 * CHUNK_ROWS)))
    source, stream = JsonLines(path), EventStream(redis_url)

    def cut(done: Imported) -> None:
        if done.lines >= CHUNK_ROWS:
            raise KeyboardInterrupt

    run = ImportRun(Door(PSEUDONYMS), stream, graph, report=cut)
    with RejectFile(tmp_path / "r", resumed=False) as file, pytest.raises(KeyboardInterrupt):
        run.send(source, file, after=0)
    rest = bring_in(source, graph, redis_url, tmp_path / "r")
    assert rest.events == CHUNK_ROWS
    stream.append([], bookmark=(source.name, json.dumps({"lines": 0, "events": 0})))
    bring_in(source, graph, redis_url, tmp_path / "r")
    assert graph.read(counts.counts).relationships["VIEWED"] == 2 * CHUNK_ROWS


@pytest.mark.usefixtures("ingesting")
def test_a_published_log_comes_with_its_categories_and_a_second_time_changes_nothing(
    graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """As plain text and packed; an item's newest category counts, whatever the order."""
    log = (
        "u-1,i-1,c-new,pv,1511544300\n"
        "u-1,i-1,c-old,cart,1511544001\n"
        "u-2,i-2,c-two,buy,1511544900\n"
        "u-2,i-2,c-two,gaze,1511544901\n"
    )
    plain, packed = tmp_path / "UserBehavior.csv", tmp_path / "UserBehavior.csv.gz"
    plain.write_text(log)
    packed.write_bytes(gzip.compress(log.encode()))
    rejects = tmp_path / "rejects.jsonl"
    done = bring_in(LogFile(plain, LAYOUTS["taobao-userbehavior"]), graph, redis_url, rejects)
    assert dict(done.kinds) == {"view": 1, "cart": 1, "purchase": 1}
    assert done.items == 2
    assert json.loads(rejects.read_text())["reason"] == "unknown_event_type"
    before = graph.read(counts.counts)
    told = graph.read(items.details, [ItemId("i-1"), ItemId("i-2")])
    filed = {item_id: item.categories for item_id, item in told.items()}
    assert filed == {"i-1": ("c-new",), "i-2": ("c-two",)}
    bring_in(LogFile(packed, LAYOUTS["taobao-userbehavior"]), graph, redis_url, rejects)
    assert graph.read(counts.counts) == before


def journey(folder: Path) -> CompleteJourney:
    """A data set of two baskets, in the layout of the real one."""
    day = pa.scalar(1_488_499_200_000, pa.timestamp("ms")).as_py()
    tables = {
        "transactions": {
            "household_id": [1, 1, 2], "store_id": [9, 9, 8], "basket_id": [70, 70, 71],
            "product_id": [11, 12, 11], "quantity": [2, 0, 1], "sales_value": [3.0, 0.99, 1.5],
            "retail_disc": [0.0] * 3, "coupon_disc": [0.0] * 3, "coupon_match_disc": [0.0] * 3,
            "week": [1, 1, 1], "transaction_timestamp": [day] * 3,
        },
        "products": {
            "product_id": [11], "manufacturer_id": [5], "department": ["GROCERY"],
            "brand": ["National"], "product_category": ["TEA"], "product_type": ["GREEN TEA"],
            "package_size": ["1 LB"],
        },
        "promotions": {
            "product_id": [11, 11, 13], "store_id": [8, 9, 9],
            "display_location": ["1", "1", "0"], "mailer_location": ["0", "A", "A"],
            "week": [1, 1, 2],
        },
        "campaigns": {"campaign_id": [1, 1], "household_id": [1, 3]},
        "campaign_descriptions": {
            "campaign_id": [1], "campaign_type": ["Type A"], "start_date": [day],
            "end_date": [day],
        },
        "coupons": {"coupon_upc": [5, 5, 5], "product_id": [11, 11, 13], "campaign_id": [1] * 3},
        "coupon_redemptions": {
            "household_id": [1], "coupon_upc": [5], "campaign_id": [1], "redemption_date": [day],
        },
    }  # fmt: skip
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return CompleteJourney(folder)


def bring_in_journey(graph: Graph, redis_url: str, folder: Path) -> JourneyImported:
    """One run of the whole import."""
    run = JourneyImport(
        journey(folder), graph, EventStream(redis_url), CatalogueChanges(redis_url), PSEUDONYMS
    )
    with RejectFile(folder / "rejects", resumed=False) as rejects:
        return run.run(rejects)


@pytest.mark.usefixtures("ingesting")
def test_complete_journey_comes_in_whole_and_once(
    graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    """Receipts, catalogue, promotions, campaigns; a household without receipts, too."""
    first = bring_in_journey(graph, redis_url, tmp_path)
    assert (first.receipts.events, first.receipts.rejected, first.skipped) == (3, 0, [])
    before = graph.read(counts.counts)
    assert (before.nodes["User"], before.nodes["Item"], before.nodes["Coupon"]) == (3, 3, 1)
    expected = {
        "PURCHASED": 3, "PROMOTES": 3, "OFFERS": 1, "APPLIES_TO": 2, "TARGETED_BY": 2,
        "REDEEMED": 1, "IN_CATEGORY": 1, "OF_BRAND": 1,
    }  # fmt: skip
    assert {name: before.relationships.get(name) for name in expected} == expected

    second = bring_in_journey(graph, redis_url, tmp_path)
    assert second.receipts.events == 0
    assert set(second.skipped) == {"catalogue", "receipts", "promotions", "campaigns"}
    assert graph.read(counts.counts) == before

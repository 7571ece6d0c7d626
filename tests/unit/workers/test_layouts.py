"""Layouts of published logs: one line of each kind, and what it becomes."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from graph.domain.catalogue import Item
from graph.domain.ids import ItemId
from workers.connectors.errors import SourceUnreadable
from workers.connectors.files.layouts import LAYOUTS
from workers.connectors.files.layouts.layout import Options
from workers.connectors.files.log_file import LogFile
from workers.connectors.rows import SourceRow

OCTOBER_1 = 1_569_910_211_000
"""2019-10-01 06:10:11 UTC."""


def rows(
    tmp_path: Path, layout: str, text: str, options: Options | None = None, **how: Any
) -> list[SourceRow]:
    """All rows of a file with this text."""
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    return list(LogFile(path, LAYOUTS[layout], options, **how).rows(after=0))


def only(found: list[SourceRow]) -> dict[str, Any]:
    """The event of the only row."""
    (row,) = found
    assert not row.problem
    assert isinstance(row.raw, dict)
    return row.raw


TABLES = [
    (
        "taobao-userbehavior",
        "1001,2268001,2520001,fav,1511544001\n",
        {"event_type": "favorite", "user_id": "1001", "item_id": "2268001",
         "event_time": 1_511_544_001_000},
    ),
    (
        "tianchi-mobile",
        "user_id,item_id,behavior_type,user_geohash,item_category,time\n"
        "10001,285,2,9abcd1e,4001,2014-12-08 18\n",
        {"event_type": "favorite", "user_id": "10001", "event_time": 1_418_032_800_000},
    ),
    (
        "tmall",
        "user_id,item_id,cat_id,seller_id,brand_id,time_stamp,action_type\n"
        "328001,323001,833,2882,2661,829,3\n",
        {"event_type": "favorite", "item_id": "323001", "event_time": 1_409_241_600_000},
    ),
    (
        "alibaba-2014",
        "user_id,brand_id,type,visit_datetime\n1094001,13001,3,6月4日\n",
        {"event_type": "cart", "item_id": "13001", "event_time": 1_370_275_200_000},
    ),
    (
        "jdata",
        "user_id,sku_id,time,model_id,type,cate,brand\n"
        "266001.0,138001,2016-01-31 23:59:02,,3,8,403\n",
        {"event_type": "uncart", "user_id": "266001", "event_time": 1_454_255_942_000},
    ),
    (
        "yoochoose-clicks",
        "11,2014-04-07T10:50:01.111Z,214530001,0\n",
        {"event_type": "click", "anonymous_id": "session 11", "session_id": "11",
         "event_time": 1_396_867_801_111},
    ),
    (
        "session-rec",
        "SessionId\tItemId\tTime\n3\t214716\t1396437466.94\n",
        {"event_type": "click", "session_id": "3", "event_time": 1_396_437_466_940},
    ),
    (
        "diginetica-views",
        "sessionId;userId;itemId;timeframe;eventdate\n1;NA;81001;526001;2016-05-09\n",
        {"event_type": "view", "anonymous_id": "session 1", "event_time": 1_462_752_526_001},
    ),
    (
        "diginetica-views",
        "session_id,user_id,item_id,timeframe,eventdate\n1,7,81001,0,2016-05-09\n",
        {"event_type": "view", "user_id": "7", "event_time": 1_462_752_000_000},
    ),
    (
        "rees46",
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,"
        "user_session\n"
        "2019-10-01 06:10:11 UTC,remove_from_cart,1,2053013550000000001,a.b,acme,489.07,5,s-1\n",
        {"event_type": "uncart", "user_id": "5", "session_id": "s-1", "event_time": OCTOBER_1},
    ),
    (
        "movielens",
        "501\t842\t3\t881200001\n",
        {"event_type": "review", "user_id": "501", "item_id": "842", "rating": 3.0,
         "event_time": 881_200_001_000},
    ),
    (
        "movielens",
        "501::3901::5::978200001\n",
        {"event_type": "review", "item_id": "3901", "rating": 5.0},
    ),
    (
        "movielens",
        "userId,movieId,rating,timestamp\n501,90001,0.5,1147800001\n",
        {"event_type": "review", "item_id": "90001", "rating": 1.0, "value": 0.5},
    ),
    (
        "movielens",
        "user_id:token,item_id:token,rating:float,timestamp:float\n1,2,4,881250949\n",
        {"user_id": "1", "item_id": "2", "rating": 4.0},
    ),
    (
        "amazon-ratings-2014",
        "A1,B1,5.0,1378425600\n",
        {"user_id": "A1", "item_id": "B1", "event_time": 1_378_425_600_000},
    ),
    ("amazon-ratings-2018", "B1,A1,5.0,1378425600\n", {"user_id": "A1", "item_id": "B1"}),
    (
        "amazon-ratings-2023",
        "user_id,parent_asin,rating,timestamp\nAE0,B1,5.0,1588615855070\n",
        {"user_id": "AE0", "item_id": "B1", "event_time": 1_588_615_855_070},
    ),
    (
        "rechorus",
        "user_id\titem_id\ttime\n2177\t3\t965779200\n",
        {"event_type": "purchase", "order_id": "log:2", "event_time": 965_779_200_000},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("layout", "text", "expected"), TABLES)
def test_a_line_becomes_an_event(
    layout: str, text: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    """Types, ids and times are those of the layout; the id is made of file and line."""
    found = only(rows(tmp_path, layout, text))
    assert {name: found.get(name) for name in expected} == expected
    assert found["event_id"] == f"log:{text.count(chr(10))}"
    assert found["source"] == layout


def test_one_two_and_three_mean_what_they_mean_in_that_log(tmp_path: Path) -> None:
    """The trap of these four sets: each has numbers of its own."""
    kinds = {}
    for layout, text in (
        ("tianchi-mobile", "1,i,{},,4,2014-12-08 18"),
        ("tmall", "user_id,item_id,time_stamp,action_type\n1,i,829,{}"),
        ("alibaba-2014", "user_id,brand_id,type,visit_datetime\n1,i,{},6-4"),
        ("jdata", "user_id,sku_id,time,type,cate,brand\n1,i,2016-01-31 23:59:02,{},8,4"),
    ):
        kinds[layout] = [
            only(rows(tmp_path, layout, text.format(k)))["event_type"] for k in (1, 2, 3)
        ]
    assert kinds == {
        "tianchi-mobile": ["view", "favorite", "cart"],
        "tmall": ["cart", "purchase", "favorite"],
        "alibaba-2014": ["purchase", "favorite", "cart"],
        "jdata": ["view", "cart", "uncart"],
    }


def test_an_order_of_several_rows_has_a_line_for_each(tmp_path: Path) -> None:
    """Equal rows of one invoice are two lines, and a customer is no fraction."""
    line = "536001,85001A,SOME CANDLE,6,12/1/2010 8:20,2.55,17001.0,United Kingdom\n"
    heading = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    found = [row.raw for row in rows(tmp_path, "online-retail", heading + 2 * line)]
    first, second = found
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (first["order_id"], first["user_id"]) == ("536001", "17001")
    assert first["event_time"] == 1_291_191_600_000
    assert first["lines"] == [
        {"line": 2, "item_id": "85001A", "quantity": 6, "price_minor": 255, "currency": "GBP"}
    ]
    assert second["lines"][0]["line"] == 3


def test_what_names_no_order_to_take_back_is_said(tmp_path: Path) -> None:
    """A cancellation of the wholesaler, a bad price, and an invoice of nobody known."""
    heading = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
    lines = (
        "C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom\n"
        "A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,United Kingdom\n"
        "536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom\n"
    )
    cancelled, adjusted, bought = rows(tmp_path, "online-retail", heading + lines)
    assert cancelled.problem == "a cancellation that names no order"
    assert adjusted.problem == "invalid_money: price_minor"
    assert isinstance(bought.raw, dict)
    assert bought.raw["anonymous_id"] == "invoice 536414"


def test_prices_need_a_currency(tmp_path: Path) -> None:
    """Where the publisher names none they are left out, unless the operator does."""
    text = (
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,"
        "user_session\n2019-10-01 06:10:11 UTC,purchase,1,20,,,12.50,5,s-1\n"
    )
    bare = only(rows(tmp_path, "rees46", text))
    assert bare["lines"] == [{"line": 2, "item_id": "1"}]
    assert "price_minor" not in bare
    priced = only(rows(tmp_path, "rees46", text, Options(currency="JPY")))
    assert priced["lines"][0]["price_minor"] == 12
    assert priced["order_id"] == "s-1"


def test_purchases_are_by_order_where_there_are_orders(tmp_path: Path) -> None:
    """RetailRocket's transactions and Diginetica's order numbers."""
    rocket = (
        "timestamp,visitorid,event,itemid,transactionid\n1433200190123,101,transaction,5001,77\n"
    )
    assert only(rows(tmp_path, "retailrocket", rocket))["order_id"] == "77"
    bought = (
        "sessionId;userId;timeframe;eventdate;ordernumber;itemId\n"
        "150;18001;17100001;2016-05-06;16001;25001\n"
    )
    found = only(rows(tmp_path, "diginetica-purchases", bought))
    assert (found["order_id"], found["user_id"]) == ("16001", "18001")
    assert found["lines"] == [{"line": 2, "item_id": "25001"}]


def test_buys_whose_price_nobody_knows_have_none(tmp_path: Path) -> None:
    """YooChoose writes nought for it."""
    text = "4,2014-04-06T18:40:01.111Z,21,12499,2\n4,2014-04-06T18:40:01.222Z,22,0,0\n"
    known, unknown = (
        row.raw for row in rows(tmp_path, "yoochoose-buys", text, Options(currency="EUR"))
    )
    assert isinstance(known, dict)
    assert isinstance(unknown, dict)
    assert (known["price_minor"], known["quantity"]) == (1_249_900, 2)
    assert not {"price_minor", "quantity"} & unknown.keys()


def test_a_log_tells_of_its_items(tmp_path: Path) -> None:
    """Category, brand, title, availability; with the time at which it was so."""
    (taobao,) = rows(tmp_path, "taobao-userbehavior", "1,22,2520001,pv,1511544001\n")
    assert taobao.items == (
        Item(item_id=ItemId("22"), categories=("2520001",), updated_at=1_511_544_001_000),
    )
    film = "3901::Some Film (1975)::Drama|Comedy\n"
    (told,) = rows(tmp_path, "movielens-movies", film)
    assert not told.has_event
    assert told.items[0].title == "Some Film (1975)"
    assert told.items[0].categories == ("Drama", "Comedy")
    properties = (
        "timestamp,itemid,property,value\n1435460400000,5001,categoryid,1338\n"
        "1435460400000,5001,790,n15360.000\n1435460400000,5001,available,0\n"
    )
    filed, hidden = rows(tmp_path, "retailrocket-properties", properties)
    assert filed.items[0].categories == ("1338",)
    assert hidden.items[0].is_hidden is True


def test_a_session_of_one_line_becomes_its_events(tmp_path: Path) -> None:
    """OTTO; the line counts as done with its last event."""
    session = {
        "session": 1001,
        "events": [
            {"aid": 1, "ts": 1_659_304_800_025, "type": "clicks"},
            {"aid": 2, "ts": 1_659_304_904_511, "type": "orders"},
        ],
    }
    first, second = rows(tmp_path, "otto", json.dumps(session) + "\n")
    assert isinstance(first.raw, dict)
    assert isinstance(second.raw, dict)
    assert first.raw["event_id"] == "log:1:0"
    assert second.raw["order_id"] == second.raw["event_id"] == "log:1:1"
    assert (first.end, second.end) == (0, 1)


def test_sequences_need_to_be_told_when_they_began(tmp_path: Path) -> None:
    """Nothing is guessed; with a beginning, the events are a minute apart."""
    with pytest.raises(SourceUnreadable, match="needs --begin"):
        rows(tmp_path, "person-sequences", "7 21 22\n")
    begin = 1_388_534_400_000
    first, second = rows(tmp_path, "person-sequences", "7 21 22\n", Options(begin=begin))
    assert isinstance(first.raw, dict)
    assert isinstance(second.raw, dict)
    assert (first.raw["user_id"], first.raw["item_id"]) == ("7", "21")
    assert second.raw["event_time"] - first.raw["event_time"] == 60_000
    assert "session_id" not in first.raw


@pytest.mark.parametrize(
    ("layout", "text", "problem"),
    [
        ("taobao-userbehavior", "1,2,3,look,1511544001\n", "unknown_event_type"),
        ("taobao-userbehavior", "1,2,3,pv,yesterday\n", "invalid_time"),
        ("taobao-userbehavior", "1,2,3\n1,2,3,pv,1511544001\n", None),
        ("tmall", "user_id,item_id,time_stamp,action_type\n1,2,1332,0\n", "invalid_time"),
        ("otto", "{\n", "cannot be read"),
        ("otto", '{"session": 1}\n', "not of this layout"),
    ],
)
def test_a_bad_record_is_said_and_stops_nothing(
    layout: str, text: str, problem: str | None, tmp_path: Path
) -> None:
    """Each with its reason, without its values."""
    if problem is None:
        with pytest.raises(SourceUnreadable, match="has 3 columns"):
            rows(tmp_path, layout, text)
        return
    (row,) = rows(tmp_path, layout, text)
    assert row.problem == problem
    assert row.raw is None


def test_a_short_record_is_told_apart_from_an_empty_line(tmp_path: Path) -> None:
    """The one is a fault, the other is nothing."""
    good = "1,2,3,pv,1511544001\n"
    found = rows(tmp_path, "taobao-userbehavior", good + "\n1,2\n" + good)
    assert [row.line for row in found] == [1, 3, 4]
    assert [row.problem for row in found] == ["", "cannot be read", ""]


def test_another_layout_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    """The sentence says what the heading lacks."""
    with pytest.raises(SourceUnreadable, match="the heading lacks brand_id, type"):
        rows(tmp_path, "alibaba-2014", "user_id,item,visit_datetime\n1,2,6-4\n")


def test_packed_or_not_the_same_events(tmp_path: Path) -> None:
    """A file that comes again as ``.gz`` adds nothing."""
    text = "1,2,3,pv,1511544001\n"
    (tmp_path / "UserBehavior.csv").write_text(text)
    (tmp_path / "UserBehavior.csv.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = (
        next(iter(LogFile(tmp_path / name, LAYOUTS["taobao-userbehavior"]).rows(after=0))).raw
        for name in ("UserBehavior.csv", "UserBehavior.csv.gz")
    )
    assert plain == packed
    assert isinstance(plain, dict)
    assert plain["event_id"] == "UserBehavior:1"


def test_chinese_text_is_read_in_the_encoding_it_was_written_in(tmp_path: Path) -> None:
    """GBK, as the competition published it, without being told."""
    path = tmp_path / "log.csv"
    path.write_bytes("user_id,brand_id,type,visit_datetime\n1,2,0,6月4日\n".encode("gbk"))
    (row,) = LogFile(path, LAYOUTS["alibaba-2014"]).rows(after=0)
    assert isinstance(row.raw, dict)
    assert row.raw["event_time"] == 1_370_275_200_000


def test_reading_goes_on_after_any_line(tmp_path: Path) -> None:
    """As an import does that was cut short."""
    path = tmp_path / "log.csv"
    path.write_text("1,2,3,pv,1511544001\n" * 5)
    assert [row.line for row in LogFile(path, LAYOUTS["taobao-userbehavior"]).rows(after=3)] == [
        4,
        5,
    ]

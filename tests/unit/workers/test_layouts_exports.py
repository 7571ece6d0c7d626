"""What other products export: Gorse, Segment, GA4, Snowplow."""

import json
from pathlib import Path
from typing import Any

import pytest

from workers.connectors.errors import SourceUnreadable
from workers.connectors.files.layouts import LAYOUTS
from workers.connectors.files.layouts.layout import Options
from workers.connectors.files.log_file import LogFile
from workers.connectors.rows import SourceRow

TRACK = {
    "type": "track", "messageId": "m-1", "userId": "u-1", "anonymousId": "a-1",
    "originalTimestamp": "2026-03-01T08:00:00.250Z", "sentAt": "2026-03-01T08:00:01Z",
}  # fmt: skip
MOMENT = 1_772_352_000_250


def rows(
    tmp_path: Path, layout: str, *records: Any, options: Options | None = None
) -> list[SourceRow]:
    """All rows of a file of JSON lines."""
    path = tmp_path / "export.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return list(LogFile(path, LAYOUTS[layout], options).rows(after=0))


def raws(found: list[SourceRow]) -> list[dict[str, Any]]:
    """The events; every row has one."""
    assert all(isinstance(row.raw, dict) for row in found), [row.problem for row in found]
    return [row.raw for row in found if isinstance(row.raw, dict)]


def test_segment_s_ecommerce_calls_become_our_types(tmp_path: Path) -> None:
    """A viewed product, a list, an order; ids and both times stay as they were."""
    viewed = TRACK | {
        "event": "Product Viewed",
        "properties": {"product_id": "p-1", "price": 12.5, "currency": "EUR", "position": 3},
    }
    listed = TRACK | {
        "event": "Product List Viewed",
        "properties": {"products": [{"product_id": "p-1"}, {"product_id": "p-2"}]},
    }
    ordered = TRACK | {
        "event": "Order Completed",
        "properties": {
            "order_id": "o-1", "currency": "EUR", "coupon": "c-1",
            "products": [{"product_id": "p-1", "price": "9.99", "quantity": 2}],
        },
    }  # fmt: skip
    view, shown, order = raws(rows(tmp_path, "segment", viewed, listed, ordered))
    assert view == {
        "event_id": "m-1", "event_type": "view", "event_time": MOMENT, "user_id": "u-1",
        "anonymous_id": "a-1", "sent_at": "2026-03-01T08:00:01Z", "item_id": "p-1", "position": 3,
        "price_minor": 1250, "currency": "EUR", "source": "segment",
    }  # fmt: skip
    assert shown["impression"] == [
        {"item_id": "p-1", "position": 1}, {"item_id": "p-2", "position": 2}
    ]  # fmt: skip
    assert (order["order_id"], order["coupon_id"]) == ("o-1", "c-1")
    assert order["lines"] == [
        {"line": 0, "item_id": "p-1", "quantity": 2, "price_minor": 999, "currency": "EUR"}
    ]


def test_segment_s_identify_joins_and_its_pages_are_no_events(tmp_path: Path) -> None:
    """A page call tells of no item."""
    found = raws(rows(tmp_path, "segment", TRACK | {"type": "identify"}, TRACK | {"type": "page"}))
    assert [one["event_type"] for one in found] == ["identify"]


def test_names_of_one_s_own_are_said_with_the_question(tmp_path: Path) -> None:
    """Else they are refused as unknown."""
    call = TRACK | {"event": "Looked Closely", "properties": {"product_id": "p-1"}}
    (refused,) = rows(tmp_path, "segment", call)
    assert refused.problem == "unknown_event_type"
    own = Options(behaviours={"Looked Closely": "view"})
    assert raws(rows(tmp_path, "segment", call, options=own))[0]["event_type"] == "view"


def test_ga4_counts_microseconds_and_puts_items_in_lists(tmp_path: Path) -> None:
    """One event per item; what is no shop event is left out."""
    base = {
        "event_timestamp": "1772352000250999", "user_pseudo_id": "g-1",
        "event_params": [{"key": "ga_session_id", "value": {"int_value": 77}}],
    }  # fmt: skip
    added = base | {"event_name": "add_to_cart", "items": [{"item_id": "1"}, {"item_id": "2"}]}
    bought = base | {
        "event_name": "purchase",
        "ecommerce": {"transaction_id": "t-1"},
        "items": [{"item_id": "1", "quantity": 1, "price": 5}],
    }
    scrolled = base | {"event_name": "scroll"}
    one, two, order = raws(rows(tmp_path, "ga4", added, bought, scrolled))
    assert (one["event_id"], two["event_id"]) == ("export:1", "export:1:1")
    assert (one["event_time"], one["session_id"]) == (MOMENT, "77")
    assert two["item_id"] == "2"
    assert (order["order_id"], order["lines"][0]["item_id"]) == ("t-1", "1")


def test_snowplow_s_entities_of_any_version_are_read(tmp_path: Path) -> None:
    """Action, products and transaction; times without a zone are UTC."""
    prefix = "com_snowplowanalytics_snowplow_ecommerce"
    action = f"unstruct_event_{prefix}_snowplow_ecommerce_action_1"
    base = {
        "event_id": "e-1", "domain_userid": "d-1", "domain_sessionid": "s-1",
        "dvce_created_tstamp": "2026-03-01 08:00:00.250",
    }  # fmt: skip
    product = {f"contexts_{prefix}_product_2": [{"id": "p-1", "price": 3, "currency": "USD"}]}
    seen = base | product | {action: {"type": "product_view"}}
    paid = (
        base
        | product
        | {
            action: {"type": "transaction"},
            f"contexts_{prefix}_transaction_1": [{"transaction_id": "t-9"}],
        }
    )
    view, order = raws(rows(tmp_path, "snowplow", seen, paid, base))
    assert (view["event_type"], view["item_id"], view["event_time"]) == ("view", "p-1", MOMENT)
    assert (view["anonymous_id"], view["session_id"]) == ("d-1", "s-1")
    assert (order["order_id"], order["lines"][0]["price_minor"]) == ("t-9", 300)


def test_gorse_s_feedback_needs_names_and_its_items_have_categories(tmp_path: Path) -> None:
    """The sender names behaviours, so somebody has to say what they mean."""
    feedback = tmp_path / "feedback.csv"
    feedback.write_text(
        "feedback_type,user_id,item_id,time_stamp\nstar,bob,i-1,2026-03-01T08:00:00.25Z\n"
    )
    with pytest.raises(SourceUnreadable, match="needs --behaviour"):
        LogFile(feedback, LAYOUTS["gorse-feedback"])
    named = LogFile(feedback, LAYOUTS["gorse-feedback"], Options(behaviours={"star": "favorite"}))
    (star,) = raws(list(named.rows(after=0)))
    assert (star["event_type"], star["event_time"]) == ("favorite", MOMENT)
    items = tmp_path / "items.csv"
    items.write_text(
        "item_id,is_hidden,categories,time_stamp,labels\ni-1,true,a|b,2026-03-01 08:00:00+00:00,\n"
    )
    (told,) = LogFile(items, LAYOUTS["gorse-items"]).rows(after=0)
    assert told.items[0].categories == ("a", "b")
    assert told.items[0].is_hidden is True

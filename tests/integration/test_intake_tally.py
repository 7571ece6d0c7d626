"""What came in, hour by hour: counted where it happens, and read again."""

from typing import Any

import pytest
import redis

from tests.factories import told, view_row
from workers.intake.consent import ConsentCopy
from workers.intake.door import Door
from workers.intake.intake import Intake
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Caller
from workers.intake.stream import EventStream
from workers.intake.tally import HOUR_MS, Counts, Tally, hour_key

NOW = 1_772_352_000_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))


def row(event_id: str, **changes: Any) -> dict[str, Any]:
    return view_row(event_id, "2026-03-01T07:59:00Z", **changes)


@pytest.fixture
def intake(redis_url: str) -> Intake:
    """A way in without limits."""
    stream = EventStream(redis_url, pseudonyms=PSEUDONYMS)
    return Intake(Door(PSEUDONYMS), stream, consent=ConsentCopy(redis_url))


def take(intake: Intake, *rows: Any, at: int = NOW) -> None:
    intake.take(rows, Caller("shop"), received_ms=at)


def counts(redis_url: str, begin_ms: int = NOW, end_ms: int = NOW) -> Counts:
    return Tally(redis_url).read(begin_ms, end_ms)


def test_rows_and_their_events_are_counted_by_source_and_type(
    intake: Intake, redis_url: str
) -> None:
    """An order of two lines is one row and two events."""
    lines = [{"line": k, "item_id": f"SKU-{k}"} for k in (1, 2)]
    order = row("o", event_type="purchase", item_id=..., order_id="o-1", lines=lines)
    take(intake, row("a"), row("b", source="web"), order)
    found = counts(redis_url)
    assert found.rows == {("shop", "view"): 1, ("web", "view"): 1, ("shop", "purchase"): 1}
    assert found.events == {("shop", "view"): 1, ("web", "view"): 1, ("shop", "purchase"): 2}


def test_refused_rows_are_counted_by_reason_and_missing_fields_by_name(
    intake: Intake, redis_url: str
) -> None:
    take(
        intake,
        row("a", item_id=...),
        row("b", user_id=...),
        row("c", event_type="glance"),
        row("d", event_time="2999-01-01T00:00:00Z"),
        row("e", event_type="purchase", order_id="o", lines=[{"line": 1}]),
        "no row",
    )
    found = counts(redis_url)
    assert found.refused == {
        ("shop", "view", "missing_field"): 2,
        ("shop", "unknown", "unknown_event_type"): 1,
        ("shop", "view", "time_out_of_range"): 1,
        ("shop", "purchase", "missing_field"): 1,
        ("shop", "unknown", "invalid_type"): 1,
    }
    assert found.missing == {
        ("shop", "view", "item_id"): 1,
        ("shop", "view", "user_id"): 1,
        ("shop", "purchase", "lines.item_id"): 1,
    }
    assert not found.rows


def test_repeats_are_counted_by_device_and_conflicts_are_no_repeats(
    intake: Intake, redis_url: str
) -> None:
    """In one request or over several, an id that comes again is no new row."""
    take(intake, row("a"), row("a"))
    take(intake, row("a"), row("a", item_id="SKU-2"), row("b"))
    found = counts(redis_url)
    assert found.rows == {("shop", "view"): 2}
    assert found.duplicates == {("shop", "view"): 2}
    device = PSEUDONYMS.device("phone")
    assert found.repeats == {("shop", device): 2}
    assert found.refused == {("shop", "view", "conflict"): 1}


def test_hours_are_kept_apart_and_added_up(intake: Intake, redis_url: str) -> None:
    take(intake, row("a"), at=NOW)
    take(intake, row("b"), at=NOW + HOUR_MS)
    place = ("shop", "view")
    assert counts(redis_url).rows[place] == 1
    assert counts(redis_url, NOW, NOW + HOUR_MS).rows[place] == 2
    with redis.Redis.from_url(redis_url) as client:
        assert 8 * 86_400 < client.ttl(hour_key(NOW)) <= 9 * 86_400


def test_a_flood_of_made_up_sources_ends_in_one_field(intake: Intake, redis_url: str) -> None:
    """Whoever may send rows may not fill the memory with names."""
    for start in range(0, 6_000, 500):
        take(intake, *(row(f"e{k}", source=f"s{k}") for k in range(start, start + 500)))
    with redis.Redis.from_url(redis_url) as client:
        assert client.hlen(hour_key(NOW)) <= 5_001
    assert sum(counts(redis_url).rows.values()) <= 2_500


def test_the_wait_for_a_visible_edge_is_counted_and_history_has_none(redis_url: str) -> None:
    """A class holds what is over the one before and up to its own end."""
    tally = Tally(redis_url)
    live = told("web|a", ts=NOW - 5, received_ts=NOW)
    tally.written([live], [told("web|b", received_ts=NOW)], NOW + 2_000)
    tally.written([told("web|old", ts=1, received_ts=1)], [], NOW)
    found = counts(redis_url)
    assert found.waits == {("web", "view", 4): 1}
    assert found.dropped == {("web", "view"): 1}


def test_the_repeats_of_a_device_can_be_forgotten(redis_url: str) -> None:
    """Of an erased person's; those of others stay, and so do all other counts."""
    tally = Tally(redis_url)
    amounts = {"repeats|web|d_1": 2, "repeats|web|d_12": 3, "rows|web|view": 9}
    tally._add(NOW, amounts)
    assert tally.forget(["d_1"]) == 1
    found = counts(redis_url)
    assert found.repeats == {("web", "d_12"): 3}
    assert found.rows == {("web", "view"): 9}
    assert tally.forget(["d_1"]) == 0

"""The event stream on a real Valkey: repeats, order, limits, what is put aside."""

import pytest
import redis

from workers.intake.codec import decode
from workers.intake.door import Door
from workers.intake.errors import StreamFull, StreamUnavailable
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.stream import STREAM, EventStream

NOW = 1_772_352_000_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))
DOOR = Door(PSEUDONYMS)


def row(event_id: str, **changes: object) -> dict[str, object]:
    """A good view, changed."""
    return {
        "event_id": event_id,
        "event_type": "view",
        "user_id": "u-17",
        "item_id": "SKU-1",
        "event_time": "2026-03-01T08:00:00Z",
    } | changes


def send(stream: EventStream, *rows: dict[str, object]) -> list[str]:
    """The status per row."""
    checked = DOOR.check(rows, default_source="web", received_ms=NOW)
    return [result.status.value for result in stream.accept(checked)]


def on_the_stream(redis_url: str) -> list[str]:
    """Ids of the events on the stream, in order."""
    with redis.Redis.from_url(redis_url) as client:
        entries = client.xrange(STREAM)
    return [event.event_id for _, fields in entries for event in decode(fields[b"events"])]


def test_a_repeat_of_the_last_day_is_told_and_not_stored_again(redis_url: str) -> None:
    """Same content: duplicate. Other content: conflict. The new ones beside them are taken."""
    stream = EventStream(redis_url, pseudonyms=PSEUDONYMS)
    assert send(stream, row("e1"), row("e2")) == ["accepted", "accepted"]
    again = send(stream, row("e2"), row("e1", item_id="other"), row("e3"))
    assert again == ["duplicate", "conflict", "accepted"]
    assert on_the_stream(redis_url) == ["web|e1", "web|e2", "web|e3"]


def test_b3_a_retry_with_a_new_send_time_is_a_duplicate(redis_url: str) -> None:
    """The send time is renewed on every try and is no content."""
    stream = EventStream(redis_url)
    assert send(stream, row("e1", sent_at="2026-03-01T08:00:01Z")) == ["accepted"]
    assert send(stream, row("e1", sent_at="2026-03-01T08:10:01Z")) == ["duplicate"]


def test_too_much_waiting_is_refused_and_nothing_is_remembered(redis_url: str) -> None:
    """A refused event must not look like a duplicate later."""
    full = EventStream(redis_url, max_backlog_bytes=-1)
    with pytest.raises(StreamFull):
        send(full, row("e1"))
    assert send(EventStream(redis_url), row("e1")) == ["accepted"]


def test_without_a_stream_nothing_is_promised() -> None:
    """A 202 always means on disk."""
    with pytest.raises(StreamUnavailable):
        send(EventStream("redis://127.0.0.1:1/0"), row("e1"))


def test_a_bookmark_moves_with_what_it_marks(redis_url: str) -> None:
    """Both in one step, also when there is nothing to append."""
    stream = EventStream(redis_url)
    events = DOOR.check([row("e1")], default_source="w", received_ms=NOW).events
    stream.append(events, bookmark=("file", "1"))
    stream.append([], bookmark=("file", "2"))
    assert stream.bookmark("file") == "2"
    assert stream.depth() == 1
    assert stream.backlog_bytes() > 0

"""Events on the stream come off it as they went on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.domain.events import Event, EventType
from graph.domain.ids import EventId, ItemId, UserId
from workers.intake.codec import decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
EVENTS = st.lists(
    st.builds(
        Event,
        event_id=TEXT.map(EventId),
        type=st.sampled_from(EventType),
        user_id=TEXT.map(UserId),
        ts=st.integers(0, 2**42),
        received_ts=st.integers(0, 2**42),
        source=TEXT,
        item_id=st.none() | TEXT.map(ItemId),
        quantity=st.none() | st.integers(0, 2**40),
        rating=st.none() | st.floats(1, 5),
        shown_items=st.none() | st.lists(TEXT, max_size=3).map(tuple),
        shown_positions=st.none() | st.lists(st.integers(1, 99), max_size=3).map(tuple),
        flags=st.lists(TEXT, max_size=2).map(tuple),
        **{
            name: st.none()
            for name in (
                "line",
                "price_minor",
                "amount_minor",
                "position",
                "dwell_ms",
                "value",
                "sent_ts",
                "device_ts",
                "content",
            )
        },
    ),
    min_size=1,
    max_size=5,
)


@given(EVENTS)
def test_decoding_gives_back_what_was_encoded(events: list[Event]) -> None:
    """Whatever is empty, shared or different among them."""
    assert decode(encode(events)) == events


def test_a_reader_of_another_version_skips_what_it_does_not_know() -> None:
    """Fields travel by name."""
    event = Event(EventId("w|1"), EventType.VIEW, UserId("v_1"), 1, 2, "w", ItemId("i"))
    payload = encode([event]).replace(b'"same":{', b'"same":{"new_field":7,')
    assert decode(payload) == [event]


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"n":1,"same":{},"columns":{}}'])
def test_what_was_not_encoded_cannot_be_decoded(payload: bytes) -> None:
    """It becomes a dead letter, and never stops the stream."""
    with pytest.raises(ValueError):
        decode(payload)

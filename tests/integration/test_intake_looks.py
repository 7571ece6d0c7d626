"""What only the stores know and the door needs: clocks, consent, quotas, pace."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
import redis

from graph.domain.events import Event
from graph.domain.ids import UserId
from tests.factories import view_row
from workers.intake.codec import decode
from workers.intake.consent import LOADED, ConsentCopy
from workers.intake.deadletters import DeadLetters
from workers.intake.door import Door
from workers.intake.errors import QuotaExceeded, StreamUnavailable
from workers.intake.intake import Intake, Quotas
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Caller, RowResult
from workers.intake.stream import STREAM, EventStream

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 1_772_352_000_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))
PERSON = PSEUDONYMS.customer("u-17")[0]
BROWSER = Caller("web", is_browser=True, user_agent="Mozilla/5.0 Firefox/140")
SERVER = Caller("shop")


def iso(ms: int) -> str:
    """A time as a client writes it."""
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds")


def row(event_id: str, **changes: Any) -> dict[str, Any]:
    return view_row(event_id, iso(NOW), **changes)


class World:
    """A way in, and a look at what came through."""

    def __init__(self, redis_url: str, **options: Any) -> None:
        self.redis_url = redis_url
        self.consent = ConsentCopy(redis_url)
        stream = EventStream(redis_url, pseudonyms=PSEUDONYMS)
        self.intake = Intake(Door(PSEUDONYMS), stream, consent=self.consent, **options)

    def send(self, *rows: Any, at: int = NOW, caller: Caller = SERVER) -> list[RowResult]:
        """The results, for rows received at a time."""
        return self.intake.take(rows, caller, received_ms=at)

    def stored(self) -> list[Event]:
        """The events on the stream, in order."""
        with redis.Redis.from_url(self.redis_url) as client:
            entries = client.xrange(STREAM)
        return [event for _, fields in entries for event in decode(fields[b"events"])]

    def times(self) -> dict[str, int]:
        """When events happened, by the client's id, minutes before or after ``NOW``."""
        return {e.event_id.partition("|")[2]: (e.ts - NOW) // MINUTE for e in self.stored()}


@pytest.fixture
def here(redis_url: str) -> World:
    """A way in without limits."""
    return World(redis_url)


def told(event_id: str, *, wrong_by: int, happened: int, sent: int) -> dict[str, Any]:
    """A view as a device tells it whose clock is wrong; times are true ones."""
    return row(event_id, event_time=iso(happened + wrong_by), sent_at=iso(sent + wrong_by))


# --- clocks


def test_b2_a_slow_network_is_no_wrong_clock(here: World) -> None:
    """One batch hangs for half a minute, the next is fast: nothing moves, the order is kept."""
    here.send(told("view", wrong_by=0, happened=NOW, sent=NOW), at=NOW + 30_000)
    cart = told("cart", wrong_by=0, happened=NOW + 60_000, sent=NOW + 60_000)
    here.send(cart, at=NOW + 60_100)
    assert [event.ts for event in here.stored()] == [NOW, NOW + 60_000]
    assert all(event.device_ts is None and not event.flags for event in here.stored())


def test_b2_even_a_very_slow_one_moves_nothing_once_the_clock_is_known(here: World) -> None:
    """The smallest difference of the hour counts, and waiting can only add."""
    here.send(told("e1", wrong_by=0, happened=NOW, sent=NOW), at=NOW + 50)
    here.send(told("e2", wrong_by=0, happened=NOW, sent=NOW), at=NOW + 20 * MINUTE)
    assert here.times() == {"e1": 0, "e2": 0}


def test_b3_a_batch_that_is_sent_again_ten_minutes_later_keeps_its_times(here: World) -> None:
    """The time of sending is renewed, that of the event is not."""
    first = told("e1", wrong_by=0, happened=NOW, sent=NOW)
    with redis.Redis.from_url(here.redis_url) as client:
        client.set("shopgraph:events:bytes", 10**12)
        with pytest.raises(StreamUnavailable):
            here.send(first, at=NOW + 100)
        client.delete("shopgraph:events:bytes")
    again = first | {"sent_at": iso(NOW + 10 * MINUTE)}
    here.send(again, at=NOW + 10 * MINUTE + 100)
    assert [(event.ts, event.flags) for event in here.stored()] == [(NOW, ())]


@pytest.mark.parametrize("wrong_by", [-2 * DAY, -9 * MINUTE, 9 * MINUTE, 2 * DAY])
def test_a_wrong_clock_is_corrected_and_the_raw_time_kept(here: World, wrong_by: int) -> None:
    """Beyond five minutes, with one offset for all that the device tells."""
    sent = [told(f"e{n}", wrong_by=wrong_by, happened=NOW + n, sent=NOW + 99) for n in range(3)]
    results = here.send(*sent, at=NOW + 99)
    assert [one.status.value for one in results] == ["accepted"] * 3
    assert results[0].flags == ("skew_corrected",)
    events = here.stored()
    assert [event.ts for event in events] == [NOW, NOW + 1, NOW + 2]
    assert [event.device_ts for event in events] == [event.ts + wrong_by for event in events]


def test_a_clock_of_1970_is_corrected_and_one_beyond_reason_is_not(here: World) -> None:
    """A phone with an empty battery starts at zero; the year 9999 is no clock."""
    (good,) = here.send(told("e1", wrong_by=-NOW, happened=NOW, sent=NOW))
    assert (good.status.value, here.stored()[0].ts) == ("accepted", NOW)
    far = row("e2", device_id="odd", event_time="9999-01-01T00:00:00Z",
              sent_at="9999-01-01T00:00:01Z")  # fmt: skip
    (odd,) = here.send(far)
    assert (odd.status.value, odd.code) == ("quarantined", "time_out_of_range")


def test_b2_the_order_within_a_device_never_changes(here: World) -> None:
    """Also when the first try hung so long that the clock was judged too kindly."""
    wrong = 10 * MINUTE
    slow = told("e1", wrong_by=wrong, happened=NOW, sent=NOW)
    here.send(slow, at=NOW + 7 * MINUTE)  # three minutes ahead, as it seems: left alone
    for number in range(8, 18):
        happened = NOW + number * MINUTE
        here.send(told(f"e{number}", wrong_by=wrong, happened=happened, sent=happened), at=happened)
    placed = [event.ts for event in here.stored()]
    assert placed == sorted(placed)
    assert placed[-1] == NOW + 17 * MINUTE, "and the later ones stand where they belong"


def test_a_clock_that_is_set_right_is_believed_again_after_two_hours(here: World) -> None:
    """Until then its old error counts, since a delay cannot be told from it."""
    here.send(told("e1", wrong_by=HOUR, happened=NOW, sent=NOW))
    later = NOW + 3 * HOUR
    here.send(told("e2", wrong_by=0, happened=later, sent=later), at=later)
    assert here.times() == {"e1": 0, "e2": 180}


def test_b4_an_event_of_the_year_2099_does_not_hold_a_clock_back(here: World) -> None:
    """The device says that it has come so far; its later corrections count all the same."""
    far = row("far", event_time="2099-01-01T00:00:00Z", sent_at=iso(NOW))
    assert here.send(far)[0].status.value == "quarantined"
    wrong = [told("e1", wrong_by=HOUR, happened=NOW + 1, sent=NOW + 1)]
    here.send(*wrong, at=NOW + 1)
    later = NOW + 3 * MINUTE
    here.send(told("e2", wrong_by=HOUR, happened=later, sent=later), at=later)
    assert here.times()["e2"] == 3


def test_two_doors_around_the_edge_of_an_hour_keep_what_is_known(here: World) -> None:
    """One of them is a moment behind: its sample joins the newer hour."""
    here.send(told("e1", wrong_by=0, happened=NOW, sent=NOW), at=NOW)
    here.send(told("e2", wrong_by=0, happened=NOW - 9, sent=NOW - HOUR), at=NOW - 1)
    here.send(told("e3", wrong_by=0, happened=NOW + 9, sent=NOW - HOUR), at=NOW + 9)
    assert here.times() == {"e1": 0, "e2": -1, "e3": 0}


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_sound_clocks_give_the_same_times_in_any_order(redis_url: str, order: list[int]) -> None:
    """Batches that hang for up to four minutes and come in any order move nothing."""
    here = World(redis_url)
    delays = (50, 3 * MINUTE, 4 * MINUTE, 900)
    for place, number in enumerate(order):
        sent = NOW + number * 1_000
        here.send(
            told(f"e{number}", wrong_by=0, happened=sent, sent=sent),
            at=max(sent + delays[number], NOW + place),
        )
    assert {event.event_id: event.ts for event in here.stored()} == {
        f"shop|e{number}": NOW + number * 1_000 for number in range(4)
    }


def test_other_devices_and_senders_without_a_sending_time_are_left_alone(here: World) -> None:
    """What is not known is not guessed."""
    here.send(told("e1", wrong_by=HOUR, happened=NOW, sent=NOW))
    here.send(row("e2", device_id="tablet"), row("e3"))
    assert here.times() == {"e1": 0, "e2": 0, "e3": 0}


def test_b4_the_year_2099_and_the_year_1970_are_put_aside_and_move_nothing(here: World) -> None:
    """The good ones between them are stored, and nothing else is."""
    results = here.send(
        row("e1"),
        row("e2", event_time="2099-01-01T00:00:00Z"),
        row("e3", event_time="1970-01-01T00:00:00Z"),
        row("e4"),
    )
    assert [one.status.value for one in results] == [
        "accepted", "quarantined", "quarantined", "accepted"
    ]  # fmt: skip
    assert [event.event_id for event in here.stored()] == ["shop|e1", "shop|e4"]


# --- consent


def test_a_denial_counts_from_the_next_request_on(here: World) -> None:
    """Nothing of that person is stored, not even as a dead letter."""
    here.consent.note({PERSON: ["collection"]})
    other = row("e2", user_id="u-18")
    results = here.send(row("e1"), other)
    assert [(one.status.value, one.code) for one in results] == [
        ("rejected", "no_consent"), ("accepted", None)
    ]  # fmt: skip
    assert [event.event_id for event in here.stored()] == ["shop|e2"]
    assert DeadLetters(here.redis_url).depth() == 0


def test_whoever_denied_is_not_joined_to_anybody(here: World) -> None:
    """An identify says something of the visitor as well."""
    here.consent.note({PSEUDONYMS.visitor("v-1"): ["collection"]})
    (result,) = here.send(row("e1", event_type="identify", anonymous_id="v-1", item_id=...))
    assert (result.status.value, result.code) == ("rejected", "no_consent")


def test_not_even_a_clock_is_kept_of_whoever_denied(here: World) -> None:
    """While the others of the request are corrected as ever."""
    here.consent.note({PERSON: ["collection"]})
    theirs = told("e1", wrong_by=HOUR, happened=NOW, sent=NOW)
    other = theirs | {"event_id": "e2", "user_id": "u-18", "device_id": "tablet"}
    results = here.send(theirs, other)
    assert [one.code for one in results] == ["no_consent", None]
    assert here.times() == {"e2": 0}
    with redis.Redis.from_url(here.redis_url) as client:
        clocks = client.keys("shopgraph:clock:*")
    assert clocks == [f"shopgraph:clock:{PSEUDONYMS.device('tablet')}".encode()]


def test_a_row_that_says_granted_does_not_lift_a_denial(here: World) -> None:
    """A page may still hold the old choice; the denial is lifted where it was said."""
    here.consent.note({PERSON: ["collection"]})
    said = {"collection": "granted", "at": iso(NOW - HOUR)}
    (result,) = here.send(row("e1", consent=said))
    assert (result.status.value, result.code) == ("rejected", "no_consent")
    here.consent.note({PERSON: []})
    assert here.send(row("e2", consent=said))[0].status.value == "accepted"


@pytest.mark.parametrize("state", ["denied", "unknown"])
def test_without_consent_nothing_is_stored(here: World, state: str) -> None:
    """An event that says so itself is refused."""
    (result,) = here.send(row("e1", consent={"collection": state}))
    assert (result.status.value, result.code) == ("rejected", "no_consent")
    assert here.stored() == []
    assert DeadLetters(here.redis_url).depth() == 0


def test_a_denial_in_an_event_is_known_before_it_is_in_the_graph(here: World) -> None:
    """For lists and coupons; a grant waits for the graph."""
    here.send(row("e1", consent={"personalisation": "denied", "marketing": "denied"}))
    assert here.consent.denies(PERSON, "personalisation")
    assert here.consent.denied("marketing", [PERSON, UserId("c_else")]) == {PERSON}
    here.send(row("e2", consent={"personalisation": "granted"}))
    assert here.consent.denies(PERSON, "personalisation")


def test_after_a_loss_the_copy_is_made_again_before_anything_is_taken(redis_url: str) -> None:
    """From the graph, once."""
    asked = []

    def load() -> Mapping[str, Iterable[UserId]]:
        asked.append(1)
        return {"collection": [PERSON]}

    here = World(redis_url, load_denied=load)
    assert here.send(row("e1"))[0].code == "no_consent"
    assert here.send(row("e2", user_id="u-18"))[0].status.value == "accepted"
    assert len(asked) == 1


def test_a_copy_that_is_lost_again_at_once_lets_nothing_in(redis_url: str) -> None:
    """The caller is told to come again, and not taken without knowing."""
    here = World(redis_url, load_denied=lambda: {"collection": [PERSON]})
    here.consent.load = lambda denied: None  # type: ignore[method-assign]
    with pytest.raises(StreamUnavailable):
        here.send(row("e1", user_id="u-18"))
    assert here.stored() == []


def test_while_nobody_knows_who_denied_nothing_is_taken(redis_url: str) -> None:
    """The caller is told to come again."""

    def away() -> Mapping[str, Iterable[UserId]]:
        raise ConnectionError

    here = World(redis_url, load_denied=away)
    with pytest.raises(StreamUnavailable):
        here.send(row("e1"))
    with redis.Redis.from_url(redis_url) as client:
        assert not client.exists(LOADED)
    assert here.stored() == []


# --- quotas and pace


@pytest.mark.parametrize(
    ("quotas", "caller", "wait_s"),
    [
        (Quotas(browser_per_minute=3), BROWSER, 60),
        (Quotas(server_per_minute=3), SERVER, 60),
        (Quotas(per_day=3), SERVER, DAY // 1_000 - 8 * 3600),
    ],
)
def test_a_key_may_send_so_much(
    redis_url: str, quotas: Quotas, caller: Caller, wait_s: int
) -> None:
    """Then it is told how long to wait, nothing is stored, and later it may again."""
    here = World(redis_url, quotas=quotas)
    here.send(row("e1"), row("e2"), caller=caller)
    with pytest.raises(QuotaExceeded) as refused:
        here.send(row("e3"), row("e4"), caller=caller)
    assert refused.value.retry_after_s == wait_s
    assert len(here.stored()) == 2
    here.send(row("e3"), row("e4"), caller=caller, at=NOW + wait_s * 1_000)
    assert len(here.stored()) == 4


def test_rows_that_are_refused_count_as_well(redis_url: str) -> None:
    """Else a page could fill the dead letters with rubbish for nothing."""
    here = World(redis_url, quotas=Quotas(browser_per_minute=3))
    here.send(*(row(f"e{n}", item_id=...) for n in range(3)), caller=BROWSER)
    with pytest.raises(QuotaExceeded):
        here.send(row("e3", item_id=...), caller=BROWSER)
    assert DeadLetters(redis_url).depth() == 3


def test_a_device_that_is_faster_than_people_is_a_program(redis_url: str) -> None:
    """Flagged from then on; another one is not, and a server sends for many people."""
    here = World(redis_url, quotas=Quotas(bot_per_minute=20))
    for number in range(3):
        rows = [row(f"e{number}-{k}", item_id=f"i{k}") for k in range(10)]
        here.send(*rows, caller=BROWSER)
    here.send(row("other", device_id="tablet"), caller=BROWSER)
    here.send(*(row(f"s{k}") for k in range(50)))
    flagged = [event for event in here.stored() if "bot" in event.flags]
    assert {event.event_id for event in flagged} == {f"web|e2-{k}" for k in range(10)}

"""Rows that were put aside: sealed, mended, sent again, and gone in time."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from workers.intake.codec import decode
from workers.intake.consent import ConsentCopy
from workers.intake.deadletters import EDITED, DeadLetters, Keeping
from workers.intake.door import Door
from workers.intake.errors import UnknownDeadLetter
from workers.intake.intake import Intake
from workers.intake.letters import DeadLetter, of_event
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.replay import Replay
from workers.intake.rows import Caller, RowResult
from workers.intake.stream import STREAM, EventStream

DAY = 86_400_000
NOW = 1_772_352_000_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))
PERSON = PSEUDONYMS.customer("u-17")[0]
CANARY = "13800138000"


def row(event_id: str, **changes: Any) -> dict[str, Any]:
    """A good view, changed; ``...`` takes a field away."""
    good = {
        "event_id": event_id,
        "event_type": "view",
        "user_id": "u-17",
        "item_id": "SKU-1",
        "event_time": "2026-03-01T08:00:00Z",
    } | changes
    return {name: value for name, value in good.items() if value is not ...}


class Desk:
    """A way in, what was put aside by it, and what came through."""

    def __init__(self, redis_url: str, keeping: Keeping | None = None) -> None:
        self.redis_url = redis_url
        self.consent = ConsentCopy(redis_url)
        self.consent.load({})
        self.letters = DeadLetters(redis_url, keeping, pseudonyms=PSEUDONYMS)
        self.replay = Replay(redis_url, PSEUDONYMS)
        stream = EventStream(redis_url, pseudonyms=PSEUDONYMS, keeping=keeping or Keeping())
        self._intake = Intake(Door(PSEUDONYMS), stream, consent=self.consent)

    def send(self, *rows: Any) -> list[RowResult]:
        """The results."""
        return self._intake.take(rows, Caller("shop"), received_ms=NOW)

    def put_aside(self, **changes: Any) -> DeadLetter:
        """The letter of a row that is no good."""
        self.send(row("e1", **changes))
        return self.letters.newest()[0]

    def stored(self) -> list[str]:
        """Ids of the events on the stream, in order."""
        with redis.Redis.from_url(self.redis_url) as client:
            entries = client.xrange(STREAM)
        return [e.event_id for _, fields in entries for e in decode(fields[b"events"])]


@pytest.fixture
def desk(redis_url: str) -> Desk:
    """A desk that forgets nothing."""
    return Desk(redis_url)


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": CANARY, "item_id": ...},
        {"anonymous_id": CANARY, "device_id": CANARY, "item_id": ...},
        {"userPhone": CANARY, "item_id": ...},
        {"attributes": {"call": CANARY}},
        {"context": {"page": "/", "user_agent": CANARY}, "item_id": ...},
        {"lines": [{"line": 1, "item_id": "i", "buyer": CANARY}], "item_id": ...},
        {"item_id": {"phone": CANARY}},
        {"consent": {"collection": "granted", "by": CANARY}, "item_id": ...},
        {"user_id": CANARY, "event_time": "2099-01-01T00:00:00Z"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_row_is_kept_without_any_raw_id(desk: Desk, changes: dict[str, Any]) -> None:
    """Also where a field is one that we do not know, or of a form that we do not know."""
    letter = desk.put_aside(**changes)
    assert CANARY not in repr(letter)
    with redis.Redis.from_url(desk.redis_url) as client:
        assert CANARY.encode() not in repr(client.xrange("shopgraph:deadletters")).encode()


def test_what_is_to_be_mended_stays_readable(desk: Desk) -> None:
    """Times, items, numbers and lines."""
    lines = [{"line": 1, "item_id": "i", "quantity": 0}]
    letter = desk.put_aside(event_type="purchase", order_id="o1", lines=lines)
    kept = json.loads(letter.payload)
    assert (letter.reason, kept["lines"], kept["item_id"]) == ("invalid_type", lines, "SKU-1")
    assert kept["event_time"] == "2026-03-01T08:00:00Z"


def test_nobody_has_a_seal_opened_by_sending_it_in(desk: Desk) -> None:
    """What looks like a seal is sealed as text, and comes back as the text that it was."""
    seal = {"sealed": PSEUDONYMS.seal("u-18")}
    letter = desk.put_aside(attributes=seal, event_time="2099-01-01T00:00:00Z")
    assert json.loads(letter.payload)["attributes"].keys() == {"sealed_json"}
    desk.letters.save(letter.letter_id, letter.payload.replace("2099", "2026"))
    assert desk.replay.send(desk.letters.newest()[0], now_ms=NOW).is_taken
    with redis.Redis.from_url(desk.redis_url) as client:
        ((_, fields),) = client.xrange(STREAM)
    assert json.loads(decode(fields[b"events"])[0].attributes or "") == seal


def test_a_row_that_is_no_object_leaves_its_hash(desk: Desk) -> None:
    """Whatever it was, two of the same are told to be the same."""
    desk.send(CANARY, CANARY, 7)
    three, two, one = desk.letters.newest()
    assert (one.payload, one.reason) == ("{}", "invalid_type")
    assert one.payload_hash == two.payload_hash != three.payload_hash


def test_a_letter_can_be_mended_and_sent_again_and_twice_changes_nothing(desk: Desk) -> None:
    """From the same source, so under the same event id."""
    letter = desk.put_aside(event_time="2026-02-30T08:00:00Z")
    assert not desk.replay.send(letter, now_ms=NOW).is_taken
    saved = desk.letters.save(letter.letter_id, letter.payload.replace("02-30", "02-28"))
    assert saved.is_edited
    assert desk.letters.get(letter.letter_id) == saved
    assert desk.replay.send(saved, now_ms=NOW).is_taken
    assert desk.replay.send(saved, now_ms=NOW).is_taken, "it is there already"
    assert desk.stored() == ["shop|e1"]
    assert desk.letters.depth() == 0


def test_two_replays_at_once_store_once(desk: Desk) -> None:
    """Whoever comes second is told that it is there."""
    letter = desk.put_aside(event_time="2099-01-01T00:00:00Z")
    mended = desk.letters.save(letter.letter_id, letter.payload.replace("2099", "2026"))
    outcomes = []
    together = threading.Barrier(8)

    def send() -> None:
        replay = Replay(desk.redis_url, PSEUDONYMS)
        together.wait()
        outcomes.append(replay.send(mended, now_ms=NOW).is_taken)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 8
    assert desk.stored() == ["shop|e1"]
    assert desk.letters.depth() == 0


def test_ids_that_are_put_into_a_letter_are_sealed(desk: Desk) -> None:
    """And one who cannot seal them may not put them in."""
    letter = desk.put_aside(user_id="null")
    mended = json.loads(letter.payload) | {"user_id": CANARY}
    with pytest.raises(ValueError, match="sealed"):
        DeadLetters(desk.redis_url).save(letter.letter_id, json.dumps(mended))
    saved = desk.letters.save(letter.letter_id, json.dumps(mended))
    with redis.Redis.from_url(desk.redis_url) as client:
        assert CANARY not in repr(client.hgetall(EDITED))
    assert desk.replay.send(saved, now_ms=NOW).is_taken
    assert desk.stored() == ["shop|e1"]


def test_a_conflict_stays_until_somebody_decides(desk: Desk) -> None:
    """The first telling has won; the other is kept, and sending it again changes nothing."""
    desk.send(row("e1"), row("e1", item_id="SKU-2"))
    (letter,) = desk.letters.newest()
    outcome = desk.replay.send(letter, now_ms=NOW)
    assert (outcome.is_taken, outcome.reason) == (False, "conflict")
    assert desk.letters.depth() == 1


@pytest.mark.parametrize("stage", ["door", "graph"])
def test_a_letter_of_somebody_who_denied_since_is_not_taken(desk: Desk, stage: str) -> None:
    """A replay is held to consent as every event is, before the door and behind it."""
    letter = desk.put_aside(event_time="2099-01-01T00:00:00Z")
    letter = desk.letters.save(letter.letter_id, letter.payload.replace("2099", "2026"))
    if stage == "graph":
        checked = Door(PSEUDONYMS).check([row("e1")], default_source="shop", received_ms=NOW)
        desk.letters.add([of_event(checked.events[0], "refused", NOW)])
        letter = desk.letters.newest()[0]
    desk.consent.note({PERSON: ["collection"]})
    outcome = desk.replay.send(letter, now_ms=NOW)
    assert (outcome.is_taken, outcome.reason) == (False, "no_consent")
    assert desk.stored() == []


def test_nothing_is_sent_again_while_nobody_knows_who_denied(desk: Desk) -> None:
    """After a loss of Valkey's copy; the letter stays."""
    letter = desk.put_aside(event_time="2099-01-01T00:00:00Z")
    with redis.Redis.from_url(desk.redis_url) as client:
        client.delete("shopgraph:denied:loaded")
    assert not desk.replay.send(letter, now_ms=NOW).is_taken
    assert desk.letters.depth() == 1


def test_letters_come_in_pages_and_by_reason(desk: Desk) -> None:
    """Newest first; the next page begins behind the last one."""
    desk.send(*(row(f"e{n}", item_id=...) for n in range(5)))
    desk.send(row("far", event_time="2099-01-01T00:00:00Z"))
    assert desk.letters.counts() == {"missing_field": 5, "time_out_of_range": 1}
    first = desk.letters.newest(2, reason="missing_field")
    rest = desk.letters.newest(9, before=first[-1].letter_id, reason="missing_field")
    assert (len(first), len(rest)) == (2, 3)
    assert {one.letter_id for one in first}.isdisjoint(one.letter_id for one in rest)


def test_letters_are_bounded_and_what_makes_room_is_counted(redis_url: str) -> None:
    """The oldest go, and what was mended of them goes with them."""
    desk = Desk(redis_url, Keeping(most=3))
    letter = desk.put_aside(item_id=...)
    desk.letters.save(letter.letter_id, letter.payload)
    desk.send(*(row(f"e{n}", item_id=...) for n in range(4)))
    assert (desk.letters.depth(), desk.letters.dropped()) == (3, 2)
    with redis.Redis.from_url(redis_url) as client:
        assert client.hlen(EDITED) == 0


def test_letters_go_after_a_month_also_when_no_new_one_comes(redis_url: str) -> None:
    """That is no loss, and not counted as one."""
    desk = Desk(redis_url, Keeping(days=30))
    letter = desk.put_aside(item_id=...)
    at_ms = int(letter.letter_id.partition("-")[0])
    assert desk.letters.trim(at_ms + 30 * DAY) == 0
    assert desk.letters.trim(at_ms + 30 * DAY + 1) == 1
    assert (desk.letters.depth(), desk.letters.dropped()) == (0, 0)


def test_whoever_was_told_nothing_of_keeping_drops_nothing(desk: Desk) -> None:
    """Another one may have been told to keep more."""
    desk.put_aside(item_id=...)
    assert DeadLetters(desk.redis_url).trim(10**15) == 0
    assert desk.letters.depth() == 1


@pytest.mark.parametrize("letter_id", ["", "1", "x-1", "1-1-1", "9" * 30 + "-1", "1-1 "])
@pytest.mark.parametrize("call", ["get", "newest", "save", "remove"])
def test_what_is_no_id_of_a_letter_is_unknown(desk: Desk, letter_id: str, call: str) -> None:
    """And no error of the store."""
    ask: Callable[[], Any] = {
        "get": lambda: desk.letters.get(letter_id),
        "newest": lambda: desk.letters.newest(before=letter_id),
        "save": lambda: desk.letters.save(letter_id, "{}"),
        "remove": lambda: desk.letters.remove([letter_id]),
    }[call]
    with pytest.raises(UnknownDeadLetter):
        ask()


def test_a_mended_payload_must_be_a_row(desk: Desk) -> None:
    """Anything else is refused, and the letter stays as it was."""
    letter = desk.put_aside(item_id=...)
    for wrong in ("", "[]", "{", '"text"'):
        with pytest.raises(ValueError):
            desk.letters.save(letter.letter_id, wrong)
    assert desk.letters.get(letter.letter_id) == letter

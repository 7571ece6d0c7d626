"""``shopgraph deadletters``: a faulty row is found, mended and sent again."""

import json
from base64 import b64encode
from typing import Any

import pytest
from click.testing import CliRunner, Result

from workers.commands.deadletters import deadletters
from workers.intake.consent import ConsentCopy
from workers.intake.deadletters import DeadLetters
from workers.intake.door import Door
from workers.intake.intake import Intake
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Caller
from workers.intake.stream import EventStream

NOW = 1_772_352_000_000
PSEUDONYMS = Pseudonyms(b"p" * 32, bytes(range(64)))


@pytest.fixture
def stream(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> EventStream:
    """An empty stream, and the environment that leads the command to it."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("SHOPGRAPH_PSEUDONYM_KEY", b64encode(b"p" * 32).decode())
    monkeypatch.setenv("SHOPGRAPH_ENCRYPTION_KEY", b64encode(bytes(range(64))).decode())
    ConsentCopy(redis_url).load({})
    return EventStream(redis_url, pseudonyms=PSEUDONYMS)


def call(*words: str, told: str | None = None) -> Result:
    """Run the command as a person does."""
    return CliRunner().invoke(deadletters, words, input=told)


def answer(*words: str, told: str | None = None) -> Any:
    """What it printed as JSON."""
    result = call(*words, told=told)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refuse(stream: EventStream, redis_url: str, *rows: dict[str, object]) -> None:
    """Rows that the door does not take."""
    intake = Intake(Door(PSEUDONYMS), stream, consent=ConsentCopy(redis_url))
    told = [
        {"event_type": "view", "user_id": "u-17", "event_time": "2026-03-01T08:00:00Z"} | row
        for row in rows
    ]
    intake.take(told, Caller("web"), received_ms=NOW)


def test_a_row_is_counted_shown_mended_and_replayed_once(
    stream: EventStream, redis_url: str
) -> None:
    """What it lacked is put in, its person stays sealed, and it leaves the list."""
    refuse(stream, redis_url, {"event_id": "e1"}, {"event_id": "e2", "event_type": "stare"})
    assert answer("count", "--json") == {
        "by_reason": {"missing_field": 1, "unknown_event_type": 1},
        "dropped": 0,
    }
    (found,) = answer("list", "--reason", "missing_field", "--json")
    letter_id = found["letter_id"]
    row = json.loads(answer("show", letter_id)["payload"])
    assert "u-17" not in json.dumps(row)
    mended = answer("edit", letter_id, told=json.dumps(row | {"item_id": "SKU-1"}))
    assert mended["edited_ms"] is not None
    assert "yes" in call("list", "--reason", "missing_field").stdout
    assert call("replay", letter_id).exit_code == 0
    assert stream.depth() == 1
    again = call("replay", letter_id)
    assert again.exit_code != 0
    assert stream.depth() == 1
    assert [one.reason for one in DeadLetters(redis_url).newest()] == ["unknown_event_type"]


def test_a_row_that_is_still_wrong_stays_and_the_reason_is_said(
    stream: EventStream, redis_url: str
) -> None:
    """Exit code 1 and the code; nothing goes to the stream."""
    refuse(stream, redis_url, {"event_id": "e1"})
    result = call("replay", "--all")
    assert result.exit_code == 1
    assert "missing_field" in result.stdout
    assert (stream.depth(), DeadLetters(redis_url).depth()) == (0, 1)


def test_what_is_no_row_is_not_put_in_its_place(stream: EventStream, redis_url: str) -> None:
    """One sentence, and the letter stays as it was."""
    refuse(stream, redis_url, {"event_id": "e1"})
    (letter,) = DeadLetters(redis_url).newest()
    for told in ("[1]", "{half", ""):
        result = call("edit", letter.letter_id, told=told)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
    assert DeadLetters(redis_url).get(letter.letter_id) == letter

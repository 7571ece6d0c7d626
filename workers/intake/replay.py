"""Sending a dead letter through the door again, as it was or mended."""

from dataclasses import dataclass, replace

import orjson

from workers.intake.deadletters import DeadLetter, DeadLetters, event_of, raw_row
from workers.intake.door import Door
from workers.intake.errors import RefUnreadable
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Status
from workers.intake.stream import EventStream


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a replayed letter; ``reason`` says why it stays."""

    letter_id: str
    is_taken: bool
    reason: str | None = None


class Replay:
    """Replays letters; doing it twice stores nothing twice, since the event ids are kept."""

    def __init__(self, redis_url: str, pseudonyms: Pseudonyms) -> None:
        self._letters = DeadLetters(redis_url)
        self._stream = EventStream(redis_url)  # no pseudonyms: what fails again stays where it is
        self._door = Door(pseudonyms)
        self._pseudonyms = pseudonyms

    def send(self, letter: DeadLetter, *, now_ms: int, payload: str | None = None) -> Outcome:
        """
        Send one letter again.

        Args:
            payload: the mended payload, in place of the letter's own.
        """
        if payload is not None:
            letter = replace(letter, payload=payload)
        try:
            reason = self._reason_against(letter, now_ms)
        except (ValueError, RefUnreadable, orjson.JSONDecodeError) as error:
            reason = str(error) or type(error).__name__
        if reason is None:
            self._letters.remove([letter.letter_id])
        return Outcome(letter.letter_id, reason is None, reason)

    def _reason_against(self, letter: DeadLetter, now_ms: int) -> str | None:
        if letter.stage == "stream":
            return "an unreadable entry cannot be replayed"
        if letter.stage == "graph":
            self._stream.append([event_of(letter)])
            return None
        row = raw_row(letter, self._pseudonyms)
        checked = self._door.check([row], default_source="replay", received_ms=now_ms)
        result = checked.rows[0]
        if result.status is not Status.ACCEPTED:
            return result.code or result.status.value
        self._stream.append(checked.events)
        return None

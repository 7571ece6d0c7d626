"""Sending a dead letter through the door again, as it was or mended."""

from dataclasses import dataclass, replace

import orjson

from graph.domain.events import Event
from workers.intake.consent import ERASED, ConsentCopy
from workers.intake.deadletters import DeadLetters
from workers.intake.door import Door
from workers.intake.errors import RefUnreadable
from workers.intake.intake import Intake, LoadDenied
from workers.intake.letters import DeadLetter, event_of
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Caller, Status
from workers.intake.sealing import unsealed
from workers.intake.stream import EventStream


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a replayed letter; ``reason`` says why it stays."""

    letter_id: str
    is_taken: bool
    reason: str | None = None


class Replay:
    """Replays letters; doing it twice stores nothing twice, since the event ids are kept."""

    def __init__(
        self, redis_url: str, pseudonyms: Pseudonyms, *, load_denied: LoadDenied | None = None
    ) -> None:
        """
        Args:
            load_denied: who denied what, by the graph; without it nothing is sent again after
                Valkey has lost its copy, until somebody else has made it anew.
        """
        self._letters = DeadLetters(redis_url)
        self._consent = ConsentCopy(redis_url)
        stream = EventStream(redis_url)  # no pseudonyms: what fails again stays where it is
        self._stream = stream
        self._intake = Intake(Door(pseudonyms), stream, consent=self._consent)
        self._load_denied = load_denied
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
        if not self._consent.is_loaded() and self._load_denied is not None:
            self._consent.load(self._load_denied())
        if not self._consent.is_loaded():
            return "who denied what is not known yet"
        if letter.stage == "graph":
            return self._appended(event_of(letter))
        row = unsealed(letter.payload, self._pseudonyms)
        caller = Caller(letter.source or "replay")
        result = self._intake.take([row], caller, received_ms=now_ms)[0]
        if result.status in (Status.ACCEPTED, Status.DUPLICATE):
            return None
        return result.code or result.status.value

    def _appended(self, event: Event) -> str | None:
        people = {event.user_id, event.visitor_id or event.user_id}
        if self._consent.denied(ERASED, people):
            return "erased"
        if self._consent.denied("collection", people):
            return "no_consent"
        self._stream.append([event])
        return None

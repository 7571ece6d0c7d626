"""The shopper who asks: what we know of them, from the graph and from a moment ago."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import structlog
from pydantic import model_validator

from backend.errors import Invalid
from backend.parsing import Taken
from backend.serving import Loaded
from backend.wiring import graph, models, parts, pseudonyms
from graph.domain.ids import UserId
from graph.errors import GraphUnavailable
from graph.events import PastEvent
from graph.known_people import Known, look_up
from graph.users import Person
from workers.intake.changes import Stamp
from workers.intake.errors import StreamUnavailable
from workers.intake.online import KEPT_EVENTS, Recent
from workers.intake.schema import KnownId

log = structlog.get_logger(__name__)

DAY_MS = 86_400_000
_NEVER_MS = 1 << 62


class Who(Taken):
    """A person, by the shop's own id or by a visitor's."""

    user_id: KnownId | None = None
    anonymous_id: KnownId | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.user_id is None and self.anonymous_id is None:
            raise ValueError("user_id or anonymous_id is needed")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """
    What an answer may use of a person.

    Attributes:
        vector: the stored embedding, if the model in memory is the one that wrote it.
        history: what they did, newest first; each of it is an edge of the graph, or about to be.
        told: what they did just now by the question alone, newest first.
        is_degraded: a store was away, so there may be more than we see.
        stamp: how far the shop had come when the person was looked up.
    """

    user_id: UserId
    vector: Sequence[float] | None = None
    history: tuple[PastEvent, ...] = ()
    told: tuple[PastEvent, ...] = ()
    is_degraded: bool = False
    stamp: Stamp | None = None

    @property
    def steps(self) -> tuple[PastEvent, ...]:
        """All that they did, newest first."""
        return (*self.told, *self.history) if self.told else self.history


def pseudonym(*, user_id: str | None, anonymous_id: str | None) -> UserId:
    """The id under which the graph knows a person."""
    if user_id is not None:
        return pseudonyms().customer(user_id)[0]
    if anonymous_id is None:
        raise Invalid("user_id or anonymous_id is needed", field="user_id", code="missing_field")
    return pseudonyms().visitor(anonymous_id)


@dataclass(frozen=True, slots=True)
class Met:
    """What the graph said of a person, and the person's state when it was asked."""

    known: Known
    state: int

    def is_enough(self, recent: Recent) -> bool:
        """Whether that, and what Valkey holds, is all that they did."""
        if recent.state == self.state:
            return True
        if recent.events is None or self.known.is_restricted:
            return False
        newest = max((event.ts for event in self.known.past), default=0)
        oldest = min((event.ts for event in recent.events), default=0)
        return len(recent.events) < KEPT_EVENTS or oldest <= newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """
    A person at first sight, by Valkey alone.

    Attributes:
        recent: ``None`` while Valkey is away, and of whoever has no id.
        told_stamp: how far the shop has come, for whoever has no id.
    """

    user_id: UserId
    recent: Recent | None
    told_stamp: Stamp | None = None

    @property
    def stamp(self) -> Stamp | None:
        """How far the shop has come, if that is known."""
        return self.recent.stamp if self.recent else self.told_stamp

    @property
    def is_stranger(self) -> bool:
        """Whether there is nothing to know, so that any stranger's answer will do."""
        recent = self.recent
        return recent is not None and (
            recent.is_denied or parts().acquaintances.is_stranger(self.user_id, recent)
        )

    @property
    def token(self) -> Hashable:
        """Changes whenever the person's answers may; the same for all strangers."""
        if self.is_stranger:
            return "stranger"
        return self.user_id, self.recent.state if self.recent else None


def glance(user_id: UserId) -> Glance:
    """Look at a person; one round trip."""
    return Glance(user_id=user_id, recent=_recent(user_id))


def shopper(user_id: UserId, loaded: Loaded | None, *, now_ms: int) -> Shopper:
    """Everything that an answer to this person may use; two stores are asked, once each."""
    return met(glance(user_id), loaded, now_ms=now_ms)


def met(seen: Glance, loaded: Loaded | None, *, now_ms: int) -> Shopper:
    """The same for somebody who was looked at already."""
    user_id, recent = seen.user_id, seen.recent
    if seen.is_stranger:
        return Shopper(user_id=user_id, stamp=seen.stamp)
    held = recent.events or [] if recent else []
    try:
        known = _known(seen, loaded, held, now_ms)
    except GraphUnavailable:
        return Shopper(user_id=user_id, history=tuple(held), is_degraded=True, stamp=seen.stamp)
    if known.is_restricted:
        held = []  # what Valkey holds tells no categories
    elif recent is not None and recent.events is None and known.past:
        _hold(user_id, known.past, recent.state)
    if not _may_personalise(known.person):
        return Shopper(user_id=user_id, is_degraded=recent is None, stamp=seen.stamp)
    return Shopper(
        user_id=user_id,
        vector=_vector(known, loaded),
        history=_joined(held, known.past),
        is_degraded=recent is None,
        stamp=seen.stamp,
    )


def _known(seen: Glance, loaded: Loaded | None, held: Sequence[PastEvent], now_ms: int) -> Known:
    """What the graph knows of the person, asked a minute ago at most if that is enough."""
    recent, stamp, kept = seen.recent, seen.stamp, parts().met
    key = None
    if stamp is not None and loaded is not None:
        key = seen.user_id, loaded.version, stamp.epoch, stamp.vectors
    before: Met | None = kept.get(key)
    if before is not None and recent is not None and before.is_enough(recent):
        return before.known
    known = graph().ask(
        look_up,
        seen.user_id,
        slot=loaded.slot if loaded else None,
        since_ms=_since(loaded, held, now_ms),
        limit=parts().settings.history_limit,
        wants_past=_needs_past(recent),
    )
    if recent is not None and loaded is not None and known.pointer == loaded.version:
        kept.put(key, Met(known, recent.state), until_ms=_NEVER_MS)
    return known


def reference_ms(loaded: Loaded, history: Sequence[PastEvent]) -> int:
    """
    The moment an answer is for: the end of what the model saw, or the person's last step.

    A model of old data is asked about its own time, not about years of silence after it.
    """
    newest = max((event.ts for event in history), default=0)
    return max(loaded.model.as_of_ms, newest)


def _recent(user_id: UserId) -> Recent | None:
    try:
        return parts().online.recent(user_id)
    except StreamUnavailable:
        log.warning("online_state_away")
        return None


def _needs_past(recent: Recent | None) -> bool:
    """A copy that is not full is all there is, so the graph need not be asked for more."""
    return recent is None or recent.events is None or len(recent.events) >= KEPT_EVENTS


def _hold(user_id: UserId, past: Sequence[PastEvent], state: int) -> None:
    try:
        parts().online.fill(user_id, past, state)
    except StreamUnavailable:
        log.warning("online_state_away")


def _since(loaded: Loaded | None, held: Sequence[PastEvent], now_ms: int) -> int:
    newest = max((event.ts for event in held), default=0)
    until = max(loaded.model.as_of_ms if loaded else now_ms, newest)
    return min(until, now_ms) - parts().settings.history_days * DAY_MS


def _vector(known: Known, loaded: Loaded | None) -> Sequence[float] | None:
    if loaded is None or known.person is None or known.is_restricted:
        return None
    if known.pointer != loaded.version:
        models().wake()
        return None
    return known.person.embedding


def _may_personalise(person: Person | None) -> bool:
    return person is None or person.consent.get("personalisation") != "denied"


def _joined(recent: Sequence[PastEvent], past: Sequence[PastEvent]) -> tuple[PastEvent, ...]:
    """Both, newest first; a step that both know counts once."""
    if not recent:
        return tuple(past)
    seen = {(event.type, event.item_id, event.ts) for event in past}
    fresh = [event for event in recent if (event.type, event.item_id, event.ts) not in seen]
    if not fresh:
        return tuple(past)
    return tuple(sorted([*fresh, *past], key=lambda event: -event.ts))

"""The door: checks each row by itself, puts pseudonyms for ids, and says what became of it."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson
from pydantic import ValidationError

from workers.intake import faults
from workers.intake.attributes import attributes_text
from workers.intake.bots import is_robot
from workers.intake.clocks import Clock, Sample
from workers.intake.lines import Person, Stamp, events_of, person_of
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import (
    NOTHING_SEEN,
    Caller,
    Checked,
    Fault,
    Kept,
    RowResult,
    Seen,
    Status,
)
from workers.intake.schema import EVENT, EVENTS, ContextIn, EventBase
from workers.intake.times import Moment, clocked

MAX_ROW_BYTES = 64 * 1024
_RENEWED = ("sent_at", "received_at")
"""What a client renews on a retry: not part of the content."""


class Door:
    """
    Checks rows, whoever brings them: the API, an importer, a connector, a replay.

    A fault in one row never touches its neighbours.
    """

    def __init__(self, pseudonyms: Pseudonyms, *, max_row_bytes: int = MAX_ROW_BYTES) -> None:
        self._pseudonyms = pseudonyms
        self._max_row_bytes = max_row_bytes

    def check(
        self,
        rows: Sequence[object],
        *,
        default_source: str,
        received_ms: int,
        imported: bool = False,
        body_bytes: int | None = None,
        caller: Caller | None = None,
        seen: Seen = NOTHING_SEEN,
    ) -> Checked:
        """
        Check a list of raw rows.

        Args:
            rows: parsed JSON values, one per row.
            default_source: the source of rows that name none.
            received_ms: now, milliseconds UTC.
            imported: history, which counts as received when it happened.
            body_bytes: size of the body that held all rows; when it is small, no row needs
                to be measured.
            caller: who sends them.
            seen: what the stores know about their people and devices.
        """
        checked = Checked([], [], [], list(rows), received_ms, default_source)
        one = _OneList(self._pseudonyms, checked, caller, imported, seen)
        if body_bytes is None or body_bytes > self._max_row_bytes:
            one.max_row_bytes = self._max_row_bytes
        for index, (raw, parsed) in enumerate(zip(rows, _parsed(rows), strict=True)):
            checked.rows.append(one.result(index, raw, parsed))
        return checked


def _parsed(rows: Sequence[object]) -> list[EventBase | ValidationError]:
    try:
        return EVENTS.validate_python(rows)
    except ValidationError as error:
        at = {
            int(fault["loc"][0]) for fault in error.errors(include_url=False, include_input=False)
        }
    # Rows by themselves take longer than in one list, so that is only for the bad ones.
    good = iter(EVENTS.validate_python([row for k, row in enumerate(rows) if k not in at]))
    return [_parsed_alone(row) if k in at else next(good) for k, row in enumerate(rows)]


def _parsed_alone(row: object) -> EventBase | ValidationError:
    try:
        parsed: EventBase = EVENT.validate_python(row)
    except ValidationError as error:
        return error
    return parsed


class _OneList:
    """The work on one list of rows: knows what the earlier rows of the list said."""

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        checked: Checked,
        caller: Caller | None,
        imported: bool,
        seen: Seen,
    ) -> None:
        self.max_row_bytes: int | None = None
        self._pseudonyms = pseudonyms
        self._checked = checked
        self._received_ms = checked.received_ms
        self._imported = imported
        self._told = seen
        self._seen: dict[str, bytes] = {}
        self._key = pseudonyms.fingerprint_key[:16]
        self._paces = caller is not None and caller.is_browser
        self._is_robot = self._paces and (
            caller is None or not caller.user_agent or is_robot(caller.user_agent)
        )

    def result(self, index: int, raw: Any, parsed: EventBase | ValidationError) -> RowResult:
        """What becomes of one row; an accepted one leaves its events in the list."""
        if isinstance(parsed, ValidationError):
            return _refused(index, raw, _all_faults(raw, parsed))
        content = _content(raw)
        event_id = parsed.event_id
        wrong, attributes = self._wrong(raw, parsed, content)
        if wrong:
            return RowResult(index, event_id, Status.REJECTED, wrong)
        source = parsed.source or self._checked.source
        key = f"{source}|{event_id}"
        fingerprint = blake2b(content, digest_size=8, key=self._key).digest()
        known = self._seen.setdefault(key, fingerprint)
        if known is not fingerprint:
            status = Status.DUPLICATE if known == fingerprint else Status.CONFLICT
            return RowResult(index, event_id, status)
        person = person_of(parsed, self._pseudonyms)
        if (self._told.denied or self._told.erased) and (barred := self._barred(person)):
            return RowResult(index, event_id, Status.REJECTED, barred)
        moment = self._moment(parsed, person.device_id)
        if moment.ts is None:
            return RowResult(index, event_id, Status.QUARANTINED, _OUT_OF_RANGE)
        mark = int.from_bytes(fingerprint[:4])
        flags = self._flags(parsed, person, moment.flags)
        received_ms = moment.ts if self._imported else self._received_ms
        stamp = Stamp(source, moment, received_ms, flags, attributes, mark)
        events = events_of(parsed, stamp, person)
        checked = self._checked
        checked.kept.append(Kept(index, key, fingerprint, len(checked.events), len(events)))
        checked.events.extend(events)
        self._note(parsed, person)
        return RowResult(index, event_id, Status.ACCEPTED, (), flags)

    def _barred(self, person: Person) -> tuple[Fault, ...]:
        ids = {person.user_id, person.visitor_id}
        if not ids.isdisjoint(self._told.erased):
            return _ERASED
        return () if ids.isdisjoint(self._told.denied) else _DENIED

    def _wrong(
        self, raw: Any, parsed: EventBase, content: bytes
    ) -> tuple[tuple[Fault, ...], str | None]:
        if parsed.consent is not None and parsed.consent.collection in ("denied", "unknown"):
            return (Fault("no_consent", "consent.collection"),), None
        if self.max_row_bytes is not None and len(content) > self.max_row_bytes:
            return (Fault("row_too_large"),), None
        found = tuple(faults.between_fields(raw)) if _needs_a_look(parsed) else ()
        if parsed.attributes is None:
            return found, None
        attributes = attributes_text(parsed.attributes)
        if isinstance(attributes, Fault):
            return (*found, attributes), None
        return found, attributes

    def _moment(self, parsed: EventBase, device_id: str | None) -> Moment:
        clock: Clock | None = None
        event_ts, sent_ts = parsed.event_time, parsed.sent_at
        if sent_ts is not None and device_id is not None and not self._imported:
            if self._told.clocks:
                clock = self._told.clocks.get(device_id)
            samples = self._checked.samples
            sample = samples.get(device_id)
            if sample is None:
                samples[device_id] = Sample.of(event_ts, sent_ts, self._received_ms)
            else:
                sample.add(event_ts, sent_ts, self._received_ms)
        return clocked(
            event_ts,
            received_ms=self._received_ms,
            imported=self._imported,
            clock=clock,
        )

    def _flags(self, parsed: EventBase, person: Person, flags: tuple[str, ...]) -> tuple[str, ...]:
        context = parsed.context
        if (
            self._is_robot
            or (person.device_id or person.user_id) in self._told.robots
            or (context is not None and _is_driven(context))
        ):
            return (*flags, "bot")
        return flags

    def _note(self, parsed: EventBase, person: Person) -> None:
        checked = self._checked
        checked.people.add(person.user_id)
        if person.visitor_id is not None:  # an identify says something of two people
            checked.people.add(person.visitor_id)
        if parsed.consent is not None:
            for purpose in ("personalisation", "marketing"):
                if getattr(parsed.consent, purpose) == "denied":
                    checked.denials.add((purpose, person.user_id))
        if self._paces:
            pace = person.device_id or person.user_id
            checked.paces[pace] = checked.paces.get(pace, 0) + 1


_DENIED = (Fault("no_consent", None),)
_ERASED = (Fault("erased", None),)
_OUT_OF_RANGE = (Fault("time_out_of_range", "event_time"),)
_LOOKED_AT = frozenset({"price_minor", "amount_minor", "currency", "lines"})


def _needs_a_look(parsed: EventBase) -> bool:
    """Whether a rule between fields can be broken at all."""
    return (
        (parsed.user_id is None and parsed.anonymous_id is None)
        or parsed.event_type == "purchase"
        or not _LOOKED_AT.isdisjoint(parsed.model_fields_set)
    )


def _is_driven(context: ContextIn) -> bool:
    return context.automated is True or (
        context.user_agent is not None and is_robot(context.user_agent)
    )


def _content(raw: Any) -> bytes:
    if "sent_at" in raw or "received_at" in raw:
        raw = dict(raw)
        for name in _RENEWED:
            raw.pop(name, None)
    try:
        return orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a value beyond JSON, such as an integer over 64 bits
        return repr(sorted(raw.items(), key=str)).encode("utf-8", "surrogatepass")


def _all_faults(raw: Any, error: ValidationError) -> tuple[Fault, ...]:
    if not isinstance(raw, Mapping):
        return (Fault("invalid_type"),)
    return faults.of_validation(error, raw)


def _refused(index: int, raw: Any, found: tuple[Fault, ...]) -> RowResult:
    event_id = raw.get("event_id") if isinstance(raw, Mapping) else None
    known = event_id if isinstance(event_id, str) and len(event_id) <= 255 else None
    return RowResult(index, known, Status.REJECTED, found)

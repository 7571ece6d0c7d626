"""The door: checks each row by itself, puts pseudonyms for ids, and says what became of it."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson
from pydantic import ValidationError

from workers.intake import faults
from workers.intake.attributes import attributes_text
from workers.intake.lines import Stamp, events_of
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.rows import Checked, Fault, Kept, RowResult, Status
from workers.intake.schema import EVENT, EVENTS, EventBase
from workers.intake.times import clocked

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
        """
        checked = Checked([], [], [], list(rows), received_ms)
        one = _OneList(self._pseudonyms, checked, default_source, imported)
        if body_bytes is None or body_bytes > self._max_row_bytes:
            one.max_row_bytes = self._max_row_bytes
        for index, (raw, parsed) in enumerate(zip(rows, _parsed(rows), strict=True)):
            checked.rows.append(one.result(index, raw, parsed))
        return checked


def _parsed(rows: Sequence[object]) -> list[EventBase | ValidationError]:
    try:
        return EVENTS.validate_python(rows)
    except ValidationError:
        return [_parsed_alone(row) for row in rows]


def _parsed_alone(row: object) -> EventBase | ValidationError:
    try:
        parsed: EventBase = EVENT.validate_python(row)
    except ValidationError as error:
        return error
    return parsed


class _OneList:
    """The work on one list of rows: knows what the earlier rows of the list said."""

    def __init__(
        self, pseudonyms: Pseudonyms, checked: Checked, default_source: str, imported: bool
    ) -> None:
        self.max_row_bytes: int | None = None
        self._pseudonyms = pseudonyms
        self._checked = checked
        self._default_source = default_source
        self._imported = imported
        self._seen: dict[str, bytes] = {}
        self._key = pseudonyms.fingerprint_key[:16]

    def result(self, index: int, raw: Any, parsed: EventBase | ValidationError) -> RowResult:
        """What becomes of one row; an accepted one leaves its events in the list."""
        if isinstance(parsed, ValidationError):
            return _refused(index, raw, _all_faults(raw, parsed))
        content = _content(raw)
        wrong, attributes = self._wrong(raw, parsed, content)
        if wrong:
            return RowResult(index, parsed.event_id, Status.REJECTED, wrong)
        ts, flag = clocked(
            parsed.event_time, received_ms=self._checked.received_ms, imported=self._imported
        )
        source = parsed.source or self._default_source
        key = f"{source}|{parsed.event_id}"
        fingerprint = blake2b(content, digest_size=8, key=self._key).digest()
        known = self._seen.setdefault(key, fingerprint)
        if known is not fingerprint:
            status = Status.DUPLICATE if known == fingerprint else Status.CONFLICT
            return RowResult(index, parsed.event_id, status)
        if ts is None:
            out_of_range = (Fault("time_out_of_range", "event_time"),)
            return RowResult(index, parsed.event_id, Status.QUARANTINED, out_of_range)
        received_ms = ts if self._imported else self._checked.received_ms
        flags = () if flag is None else (flag,)
        stamp = Stamp(source, ts, received_ms, flags, attributes)
        events = events_of(parsed, stamp, self._pseudonyms)
        first = len(self._checked.events)
        self._checked.kept.append(Kept(index, key, fingerprint, first, len(events)))
        self._checked.events.extend(events)
        return RowResult(index, parsed.event_id, Status.ACCEPTED)

    def _wrong(
        self, raw: Any, parsed: EventBase, content: bytes
    ) -> tuple[tuple[Fault, ...], str | None]:
        if parsed.consent is not None and parsed.consent.collection == "denied":
            return (Fault("no_consent", "consent.collection"),), None
        if self.max_row_bytes is not None and len(content) > self.max_row_bytes:
            return (Fault("row_too_large"),), None
        found = tuple(faults.between_fields(raw))
        if parsed.attributes is None:
            return found, None
        attributes = attributes_text(parsed.attributes)
        if isinstance(attributes, Fault):
            return (*found, attributes), None
        return found, attributes


def _content(raw: Any) -> bytes:
    if "sent_at" in raw or "received_at" in raw:
        raw = {name: value for name, value in raw.items() if name not in _RENEWED}
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

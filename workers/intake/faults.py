"""From what pydantic says about a row to the stable codes of the API."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from graph.domain.events import EventType
from workers.intake.rows import Fault

_OURS = frozenset({"invalid_id", "id_too_long", "invalid_time", "time_without_zone"})
_MONEY = frozenset({"price_minor", "amount_minor", "currency"})
_TEXT_ERRORS = frozenset({"string_unicode", "string_too_long", "string_pattern_mismatch"})
_TYPE_WORDS = frozenset(EventType)


def of_validation(error: ValidationError, row: Mapping[str, Any]) -> tuple[Fault, ...]:
    """All faults of a row that pydantic refused, and those between fields beside them."""
    found = [_fault(details) for details in error.errors(include_url=False)]
    found.extend(fault for fault in between_fields(row) if fault not in found)
    return tuple(dict.fromkeys(found))


def between_fields(row: Mapping[str, Any]) -> Iterator[Fault]:
    """The rules that need more than one field."""
    if row.get("user_id") is None and row.get("anonymous_id") is None:
        yield Fault("missing_field", "user_id")
    yield from _money(row, "")
    lines = row.get("lines")
    if row.get("event_type") == "purchase" and lines is None and row.get("item_id") is None:
        yield Fault("missing_field", "lines")
    if isinstance(lines, list):
        yield from _lines(lines)


def _lines(lines: list[Any]) -> Iterator[Fault]:
    seen: set[Any] = set()
    for place, line in enumerate(lines):
        if not isinstance(line, Mapping):
            continue
        yield from _money(line, f"lines.{place}.")
        number = line.get("line")
        if isinstance(number, int):
            if number in seen:
                yield Fault("invalid_type", f"lines.{place}.line")
            seen.add(number)


def _money(row: Mapping[str, Any], where: str) -> Iterator[Fault]:
    has_amount = row.get("price_minor") is not None or row.get("amount_minor") is not None
    has_currency = row.get("currency") is not None
    if has_amount and not has_currency:
        yield Fault("invalid_money", f"{where}currency")
    if has_currency and not has_amount:
        yield Fault("invalid_money", f"{where}price_minor")


def _fault(details: ErrorDetails) -> Fault:
    place = [str(part) for part in details["loc"]]
    if place and place[0] in _TYPE_WORDS:
        del place[0]  # the discriminator stands before the field
    field = ".".join(place) or None
    return Fault(_code(details, place[-1] if place else ""), field or _field_of(details))


def _field_of(details: ErrorDetails) -> str | None:
    return "event_type" if details["type"].startswith("union_tag") else None


def _code(details: ErrorDetails, name: str) -> str:
    kind = details["type"]
    if kind == "union_tag_invalid":
        return "unknown_event_type"
    if kind in ("missing", "union_tag_not_found"):
        return "missing_field"
    if details["input"] is None:
        return "missing_field"  # null counts as absent
    if name in _MONEY:
        return "invalid_money"
    if kind in _OURS:
        return kind
    if name == "source":
        return "invalid_id"
    return "invalid_text" if kind in _TEXT_ERRORS else "invalid_type"

"""Cells as values: ids, times, money; whatever does not fit is ``Unusable``."""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from zoneinfo import ZoneInfo

from workers.connectors.files.layouts.layout import Unusable
from workers.intake.times import EpochMs

WITHOUT_CENTS = frozenset({"CLP", "ISK", "JPY", "KRW", "VND", "XAF", "XOF"})
THREE_DIGITS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})

UNKNOWN = frozenset({"", "NA", "null", "NULL"})


def known(text: str) -> str | None:
    """The id, or ``None`` where the file says that it has none."""
    return None if text in UNKNOWN else whole(text)


def whole(text: str) -> str:
    """An id that was written as a fraction without its zero: ``17850.0`` is ``17850``."""
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def seconds(text: str) -> EpochMs:
    """Since 1970 UTC, with or without a fraction."""
    if text.isdigit():
        return EpochMs(int(text) * 1_000)
    try:
        return EpochMs(int(Decimal(text) * 1_000))
    except (InvalidOperation, ValueError, OverflowError):
        raise Unusable("invalid_time") from None


def milliseconds(text: str | int) -> EpochMs:
    """Since 1970 UTC."""
    try:
        return EpochMs(int(text))
    except ValueError:
        raise Unusable("invalid_time") from None


def microseconds(text: str | int) -> EpochMs:
    """Since 1970 UTC; what is finer than a millisecond is cut."""
    try:
        return EpochMs.of(int(text), "us")
    except ValueError:
        raise Unusable("invalid_time") from None


@lru_cache(maxsize=8_192)
def wall(text: str, zone: str, form: str | None = None) -> EpochMs:
    """
    What a clock on the wall of ``zone`` showed; of an hour that came twice, the first.

    Args:
        form: as ``strptime`` reads it; without it ISO-8601.
    """
    try:
        # What is read has no zone, which is why it was named.
        read = (
            datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)  # noqa: DTZ007
        )
        if read.tzinfo is None:
            read = read.replace(tzinfo=ZoneInfo(zone))
        return EpochMs(int(read.timestamp() * 1_000))
    except (ValueError, OverflowError):
        raise Unusable("invalid_time") from None


@lru_cache(maxsize=1_024)
def day(year: int, month: int, of_month: int, zone: str) -> EpochMs:
    """The beginning of a day in ``zone``."""
    try:
        begin = datetime(year, month, of_month, tzinfo=ZoneInfo(zone))
    except ValueError:
        raise Unusable("invalid_time") from None
    return EpochMs(int(begin.timestamp() * 1_000))


def number(text: str, field: str = "quantity") -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise Unusable(f"invalid_type: {field}") from None


def decimal(text: str, field: str) -> float:
    """Any number."""
    try:
        return float(text)
    except ValueError:
        raise Unusable(f"invalid_type: {field}") from None


def minor(text: str, currency: str) -> int:
    """A price in the smallest unit of its currency; raises for one below 0."""
    digits = 0 if currency in WITHOUT_CENTS else 3 if currency in THREE_DIGITS else 2
    try:
        found = int(Decimal(text).scaleb(digits).to_integral_value(ROUND_HALF_EVEN))
    except (InvalidOperation, ValueError, OverflowError):
        raise Unusable("invalid_money: price_minor") from None
    if found < 0:
        raise Unusable("invalid_money: price_minor")
    return found


def price(text: str, currency: str | None) -> dict[str, object]:
    """The fields of a price; none where there is no price, or nobody knows in what currency."""
    if currency is None or text in UNKNOWN:
        return {}
    return {"price_minor": minor(text, currency), "currency": currency}

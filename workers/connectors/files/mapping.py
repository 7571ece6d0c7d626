"""A mapping file: how the columns of somebody's CSV become fields of our events."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from workers.connectors.errors import SourceMissing, SourceUnreadable
from workers.connectors.files.layouts.layout import Event, Layout, Options, Place, Told, Unusable
from workers.connectors.files.layouts.values import UNKNOWN, decimal, minor, number, wall, whole
from workers.intake.schema import EventBase
from workers.intake.times import EpochMs

MONEY = {"price": "price_minor", "amount": "amount_minor"}
"""Decimal columns, and the fields that they become."""

_WHOLE = frozenset({"quantity", "position", "dwell_ms", "price_minor", "amount_minor"})
_FRACTIONS = frozenset({"rating", "value"})
_TIMES = frozenset({"event_time", "sent_at"})
_FIELDS = (EventBase.model_fields.keys() | MONEY.keys()) - {
    "lines", "impression", "context", "consent", "attributes", "source", "schema_version"
}  # fmt: skip


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no known zone; such as Asia/Shanghai")
    return name


Zone = Annotated[str, AfterValidator(_zone)]
"""The IANA name of a zone."""


class Strict(BaseModel):
    """A part of a file that somebody writes by hand: what it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Strict)


class TimeForm(Strict):
    """How times are written: numbers of a unit since 1970 UTC, or a clock on the wall."""

    unit: Literal["s", "ms", "us", "ns"] | None = None
    zone: Zone | None = None
    format: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.unit is None) == (self.zone is None) or (self.unit and self.format):
            raise ValueError("give either a unit, or a zone with or without a format")
        return self

    def read(self, text: str) -> EpochMs:
        """The moment that a text stands for; raises ``Unusable`` for one of another form."""
        if self.unit is not None:
            return EpochMs.of(number(whole(text), "event_time"), self.unit)
        return wall(text, self.zone or "UTC", self.format)


class EventMapping(Strict):
    """
    What a mapping file holds.

    Attributes:
        source: what the events are known to come from.
        columns: our field to their column; ``price`` and ``amount`` are decimals.
        values: by our field, their values to ours; others are refused.
        fixed: fields that no column holds.
    """

    source: str = Field(default="import", min_length=1, pattern=r"^[^|]*$")
    delimiter: str = Field(default=",", min_length=1)
    encoding: str = "utf-8-sig"
    columns: dict[str, str]
    values: dict[str, dict[str, str]] = {}
    fixed: dict[str, str] = {}
    time: TimeForm

    @model_validator(mode="after")
    def _known_fields(self) -> Self:
        said = {*self.columns, *self.values, *self.fixed}
        if strange := sorted(said - _FIELDS):
            raise ValueError(f"no fields of events: {', '.join(strange)}")
        for name in ("event_type", "event_time"):
            if name not in self.columns and name not in self.fixed:
                raise ValueError(f"nothing says the {name}")
        if MONEY.keys() & self.columns.keys() and not {"currency"} & said:
            raise ValueError("prices need a currency, as a column or fixed")
        return self


def read_toml(path: Path, kind: type[S], *, what: str) -> S:
    """
    What a file written by hand says.

    Args:
        what: the name of its kind, for the error.

    Raises:
        SourceMissing: there is no such file.
        SourceUnreadable: it is none of its kind; the sentence says what is wrong where.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SourceMissing(f"there is no file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceUnreadable(f"{path} is no TOML: {error}") from error
    except ValidationError as error:
        raise SourceUnreadable(f"{path} is no {what}: {problems(error)}") from error


def read_mapping(path: Path) -> Layout:
    """
    The layout that a mapping file (TOML) describes.

    Raises:
        SourceMissing: there is no such file.
        SourceUnreadable: it is no mapping; the sentence says what is wrong where.
    """
    mapping = read_toml(path, EventMapping, what="mapping")
    return layout_of(mapping, title=f"as {path.name} says")


def layout_of(mapping: EventMapping, *, title: str) -> Layout:
    """The layout of files that are as a mapping says."""
    return Layout(
        name=mapping.source,
        title=title,
        read=_Reader(mapping),
        columns=tuple(dict.fromkeys(mapping.columns.values())),
        delimiter=mapping.delimiter,
        encodings=(mapping.encoding,),
    )


class _Reader:
    def __init__(self, mapping: EventMapping) -> None:
        self._mapping = mapping

    def __call__(self, cells: Mapping[str, str], place: Place, _: Options) -> Told:
        mapping = self._mapping
        said = dict(mapping.fixed)
        for ours, theirs in mapping.columns.items():
            if (cell := cells[theirs]) not in UNKNOWN:
                said[ours] = self._translated(ours, cell)
        found: Event = {"event_id": place.event_id}
        for name, text in said.items():
            if name in MONEY:
                found[MONEY[name]] = minor(text, said.get("currency", ""))
            else:
                found[name] = self._value(name, text)
        if found.get("event_type") == "purchase":
            found.setdefault("order_id", found["event_id"])
        if not {"price_minor", "amount_minor"} & found.keys():
            found.pop("currency", None)
        return Told([found])

    def _translated(self, ours: str, cell: str) -> str:
        known = self._mapping.values.get(ours)
        if known is None:
            return cell
        try:
            return known[cell]
        except KeyError:
            code = "unknown_event_type" if ours == "event_type" else f"unknown value: {ours}"
            raise Unusable(code) from None

    def _value(self, name: str, text: str) -> Any:
        if name in _TIMES:
            return self._time(text)
        if name in _WHOLE:
            return number(whole(text), name)
        if name in _FRACTIONS:
            return decimal(text, name)
        return whole(text) if name.endswith("_id") else text

    def _time(self, text: str) -> EpochMs:
        return self._mapping.time.read(text)


def problems(error: ValidationError) -> str:
    """What is wrong where in a file, in one sentence and without its values."""
    parts = []
    for problem in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in problem["loc"])
        parts.append(f"{where}: {problem['msg']}" if where else str(problem["msg"]))
    return "; ".join(parts)

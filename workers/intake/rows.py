"""What the door says about each row, in the order in which the rows came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from graph.domain.events import Event
from graph.domain.ids import UserId
from workers.intake.clocks import Clock, Sample


class Status(StrEnum):
    """What became of a row."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a row: a stable code, and the field as a dotted path."""

    code: str
    field: str | None = None


@dataclass(slots=True)
class RowResult:
    """
    The answer for one row; ``code`` and ``field`` are those of the first fault.

    Attributes:
        flags: what is thought of an accepted row, such as ``late`` or ``bot``.
    """

    index: int
    event_id: str | None
    status: Status
    faults: tuple[Fault, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def code(self) -> str | None:
        """Stable code of the first fault."""
        return self.faults[0].code if self.faults else None

    @property
    def field(self) -> str | None:
        """Field of the first fault."""
        return self.faults[0].field if self.faults else None

    def as_json(self) -> dict[str, Any]:
        """The row of the answer; all faults are listed where there is more than one."""
        row: dict[str, Any] = {
            "index": self.index,
            "event_id": self.event_id,
            "status": self.status,
        }
        if self.faults:
            row["code"] = self.code
            if self.field is not None:
                row["field"] = self.field
            if len(self.faults) > 1:
                row["faults"] = [{"code": one.code, "field": one.field} for one in self.faults]
        if self.flags:
            row["flags"] = list(self.flags)
        return row


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who sends rows.

    Attributes:
        name: the key's name; the source of rows that name none.
        is_browser: the rows come straight from a shopper's browser.
        user_agent: what that browser calls itself.
    """

    name: str
    is_browser: bool = False
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What only the stores know, and the door needs to know before it judges rows.

    Attributes:
        clocks: of devices whose clock is wrong, by pseudonym.
        denied: people who denied that anything is collected.
        erased: people of whom nothing may be kept any more.
        robots: devices that send faster than people do.
        is_cold: it is not known who denied.
        quota_s: the key has sent enough, and for how many seconds it has to wait.
    """

    clocks: Mapping[str, Clock] = field(default_factory=dict)
    denied: frozenset[UserId] = frozenset()
    erased: frozenset[UserId] = frozenset()
    robots: frozenset[str] = frozenset()
    is_cold: bool = False
    quota_s: int | None = None


NOTHING_SEEN = Seen()


@dataclass(slots=True)
class Kept:
    """
    A good row: where it stood, how it is recognised when it comes again, what it becomes.

    Attributes:
        key: source and client's id in one text.
        fingerprint: keyed hash of the content; equal content, equal fingerprint.
        first, count: which of ``Checked.events`` are its lines.
    """

    index: int
    key: str
    fingerprint: bytes
    first: int
    count: int


@dataclass(slots=True)
class Checked:
    """
    A list of rows after the door.

    Attributes:
        rows: one result per row, in order.
        events: what the accepted rows become, in order; an order is one event per line.
        kept: the accepted rows.
        raw: the rows as they came.
        received_ms: when they came, milliseconds UTC.
        source: of rows that name none.
        samples: what the rows tell of the clocks of their devices.
        people: who must not have denied collection.
        denials: what rows say is denied from now on.
        paces: events per device, or per person where no device is named.
    """

    rows: list[RowResult]
    events: list[Event]
    kept: list[Kept]
    raw: list[Any]
    received_ms: int
    source: str = ""
    samples: dict[str, Sample] = field(default_factory=dict)
    people: set[UserId] = field(default_factory=set)
    denials: set[tuple[str, UserId]] = field(default_factory=set)
    paces: dict[str, int] = field(default_factory=dict)

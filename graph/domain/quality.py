"""What is measured of the data, what is thought of it, and the report of an hour."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """What follows when a check finds something."""

    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """
    One number about the data of one source and type; empty text stands for all of them.

    Attributes:
        check: name of what is measured, such as ``missing_pct``.
        detail: the field, the reason or the like, where a check has several.
        value: in the unit of the check; ``None`` where there was nothing to measure.
        count: how many rows the number is about.
        total: out of how many.
    """

    check: str
    source: str = ""
    event_type: str = ""
    detail: str = ""
    value: float | None = None
    count: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    A figure beyond its threshold.

    Attributes:
        owner: who sees to it.
    """

    figure: Figure
    threshold: float
    level: Level
    owner: str

    @property
    def sentence(self) -> str:
        """What was found, in one line."""
        one = self.figure
        where = " ".join(part for part in (one.source, one.event_type, one.detail) if part)
        counted = "" if one.count is None or one.total is None else f" ({one.count} of {one.total})"
        limit = f"the threshold is {self.threshold:g}"
        return f"{one.check} of {where or 'everything'}: {one.value:.4g}{counted}, {limit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    Everything that was measured at one time.

    Attributes:
        as_of_ms: the moment it is true of; events received from ``begin_ms`` on are in it.
        data_seq: last event in the graph at that moment.
        cleaned: what the cleaning has marked so far, by what it did.
    """

    report_id: str
    as_of_ms: int
    begin_ms: int
    data_seq: int
    figures: list[Figure] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    cleaned: dict[str, int] = field(default_factory=dict)

    @property
    def blocks(self) -> list[Finding]:
        """What stops a training."""
        return [one for one in self.findings if one.level is Level.BLOCK]


class Window(NamedTuple):
    """
    A stretch of time of receipt.

    Attributes:
        begin_ms, end_ms: from and, not included, until when rows were received.
        after_seq: no row of it has this or a lower number.
    """

    begin_ms: int
    end_ms: int
    after_seq: int = 0

"""What an evaluation found, in a form that becomes JSON, tables and pictures."""

from dataclasses import asdict, dataclass, field
from typing import Any

from ml.evaluation.bootstrap import Interval


@dataclass(frozen=True, slots=True)
class Figure:
    """A value; over several seeds their mean, with the deviation between them beside it."""

    value: float
    low: float | None = None
    high: float | None = None
    deviation: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model on one data set."""

    model: str
    figures: dict[str, Figure]
    seeds: int = 1
    seconds: float = 0.0
    peak_mb: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What ``ours`` is worth over ``theirs`` on the same cases, in the named figure."""

    ours: str
    theirs: str
    figure: str
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points to draw: ``kind`` is precision_recall, reliability, gain or learning."""

    kind: str
    model: str
    x: list[float]
    y: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A value that was to be reached."""

    what: str
    value: float
    bar: float
    is_upper_bound: bool = False

    @property
    def holds(self) -> bool:
        """Whether it was reached."""
        return self.value <= self.bar if self.is_upper_bound else self.value >= self.bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """
    One table of the report.

    Attributes:
        name: as on the command line, such as ``retailrocket``.
        protocol: one or two sentences, how it was measured.
        base_rate: share of positives, or ``None`` for rankings.
        groups: group name such as ``history 2-4``, then rows.
        ablation: what each part is worth, the whole against the whole without it.
        notes: what a reader should know, one sentence each.
    """

    name: str
    title: str
    protocol: str
    cases: int
    base_rate: float | None = None
    rows: list[Row] = field(default_factory=list)
    gains: list[Gain] = field(default_factory=list)
    ablation: list[Gain] = field(default_factory=list)
    groups: dict[str, list[Row]] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak_mb: float = 0.0

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Study":
        """The inverse of ``to_dict``."""
        simple = ("name", "title", "protocol", "cases", "base_rate", "notes", "seconds", "peak_mb")
        return cls(
            **{name: plain[name] for name in simple},
            rows=[_row(one) for one in plain["rows"]],
            gains=[_gain(one) for one in plain["gains"]],
            ablation=[_gain(one) for one in plain["ablation"]],
            groups={name: [_row(one) for one in rows] for name, rows in plain["groups"].items()},
            curves=[Curve(**one) for one in plain["curves"]],
            goals=[_goal(one) for one in plain["goals"]],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = asdict(self)
        plain["goals"] = [asdict(goal) | {"holds": goal.holds} for goal in self.goals]
        return plain


def _row(plain: dict[str, Any]) -> Row:
    figures = {
        name: Figure(**(one | _numbers(one, "value"))) for name, one in plain["figures"].items()
    }
    return Row(**(plain | {"figures": figures}))


def _gain(plain: dict[str, Any]) -> Gain:
    interval = Interval(**_numbers(plain["interval"], "difference", "low", "high"))
    return Gain(**(plain | {"interval": interval}))


def _goal(plain: dict[str, Any]) -> Goal:
    known = {name: value for name, value in plain.items() if name != "holds"}
    return Goal(**(known | _numbers(plain, "value")))


def _numbers(plain: dict[str, Any], *names: str) -> dict[str, float]:
    """JSON has no NaN; what was not defined is null there."""
    return {name: float("nan") if plain[name] is None else plain[name] for name in names}

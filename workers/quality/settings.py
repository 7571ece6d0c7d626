"""What the shop thinks of its data: thresholds, levels and owners of the checks."""

from typing import Self

from pydantic import Field, FiniteFloat, TypeAdapter, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from graph.domain.events import EventType
from graph.domain.quality import Level
from graph.edges import COLUMNS
from workers.quality.checks import CHECKS

_THRESHOLDS = TypeAdapter(dict[str, FiniteFloat])
_LEVELS = TypeAdapter(dict[str, Level])


def pairs(told: str) -> dict[str, str]:
    """``a=1, b=2`` as a mapping."""
    parts = [part.partition("=") for part in told.split(",") if part.strip()]
    return {name.strip(): value.strip() for name, _, value in parts}


class QualitySettings(BaseSettings):
    """What is measured, and what is a finding; environment prefix ``SHOPGRAPH_QUALITY_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_QUALITY_", frozen=True)

    thresholds: str = Field(
        default="", description="where a check is not judged as usual: `duplicate_pct=5`"
    )
    levels: str = Field(
        default="", description="checks that warn or block otherwise: `orphan_pct=block`"
    )
    owners: str = Field(default="", description="who sees to a check: `orphan_pct=catalogue`")
    expected_fields: str = Field(
        default="",
        description="fields that rows of a type should have: `view=session_id+dwell_ms`",
    )
    window_hours: int = Field(default=24, ge=1, le=168, description="hours that a report looks at")
    compare_days: int = Field(
        default=7, ge=1, le=90, description="days before, with which a report compares"
    )
    min_rows: int = Field(
        default=100, ge=1, description="a share of fewer rows is shown and not judged"
    )
    match_minutes: int = Field(
        default=30, ge=0, description="two sources date one purchase so far apart, at most"
    )
    keep_days: int = Field(default=90, ge=1, description="days that reports are kept")

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        named = pairs(self.thresholds) | pairs(self.levels) | pairs(self.owners)
        for name in named.keys() - CHECKS.keys():
            raise ValueError(f"{name} is no check")
        for kind, fields in self.expected.items():
            if kind not in set(EventType):
                raise ValueError(f"{kind} is no type of events")
            for name in set(fields) - set(COLUMNS):
                raise ValueError(f"{name} is no field that events keep")
        _THRESHOLDS.validate_python(pairs(self.thresholds))
        _LEVELS.validate_python(pairs(self.levels))
        return self

    def threshold(self, check: str) -> float | None:
        """From where on a check is a finding; ``None``: never."""
        told = _THRESHOLDS.validate_python(pairs(self.thresholds))
        return told.get(check, CHECKS[check].threshold)

    def level(self, check: str) -> Level:
        """What follows from a finding."""
        told = _LEVELS.validate_python(pairs(self.levels))
        return told.get(check, CHECKS[check].level)

    def owner(self, check: str) -> str:
        """Who sees to a finding."""
        return pairs(self.owners).get(check, CHECKS[check].owner)

    @property
    def expected(self) -> dict[str, tuple[str, ...]]:
        """Fields that rows should have, by type of event."""
        return {
            kind: tuple(name.strip() for name in fields.split("+"))
            for kind, fields in pairs(self.expected_fields).items()
        }

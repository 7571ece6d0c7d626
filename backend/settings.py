"""What the web process is told by its environment."""

from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from graph.domain.events import EventType

S = TypeVar("S", bound=BaseSettings)


class WebSettings(BaseSettings):
    """Keys, origins and rules of the API; environment prefix ``SHOPGRAPH_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_", frozen=True)

    api_keys: SecretStr = Field(description="scope:name:key, separated by commas")
    allowed_origins: str = Field(default="", description="origins of pages, separated by commas")
    model_store: Path = Field(description="folder of the trained models")
    history_days: int = Field(default=60, ge=1, description="how far back a person is read")
    history_limit: int = Field(default=1000, ge=1, description="most events read of a person")
    popular_days: int = Field(default=30, ge=1, description="window of what is popular")
    exclude_behaviours: str = Field(
        default="",
        description="behaviours, separated by commas: what a person did them with is not shown",
    )
    training_stale_minutes: int = Field(
        default=30, ge=1, description="a run without news for this long no longer blocks another"
    )
    browser_files: Path | None = Field(
        default=None, description="folder of the Neo4j Browser guide, served at /browser"
    )

    @property
    def excluded_behaviours(self) -> frozenset[EventType]:
        """The behaviours of ``exclude_behaviours``."""
        return _behaviours(self.exclude_behaviours)

    @field_validator("exclude_behaviours")
    @classmethod
    def _are_behaviours(cls, text: str) -> str:
        _behaviours(text)
        return text


@lru_cache(maxsize=8)
def _behaviours(text: str) -> frozenset[EventType]:
    return frozenset(EventType(name.strip()) for name in text.split(",") if name.strip())


class SettingsMissing(Exception):
    """The environment lacks something; the message names it."""


def read(kind: type[S]) -> S:
    """
    Settings from the environment.

    Raises:
        SettingsMissing: a variable is not there or makes no sense; says which, never its value.
    """
    try:
        return kind()
    except ValidationError as error:
        raise SettingsMissing(_sentence(kind, error.errors(include_input=False))) from None


def _sentence(kind: type[BaseSettings], faults: list[Any]) -> str:
    prefix = kind.model_config.get("env_prefix", "")
    names = [f"{prefix}{fault['loc'][0]}".upper() for fault in faults if fault["loc"]]
    return "missing or wrong in the environment: " + ", ".join(sorted(set(names)))

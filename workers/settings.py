"""What the workers, the scheduler and the command line need to know."""

from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, FiniteFloat, SecretStr, TypeAdapter, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from graph.domain.events import ITEM_BEHAVIOURS, EventType
from graph.settings import GraphSettings


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name} is no time zone of the IANA list") from error
    return name


_WEIGHTS = TypeAdapter(dict[EventType, FiniteFloat])


def _weights(told: str) -> dict[str, float]:
    parts = [part.partition("=") for part in told.split(",") if part.strip()]
    found = _WEIGHTS.validate_python({name.strip(): weight for name, _, weight in parts})
    for name in found.keys() - ITEM_BEHAVIOURS.keys():
        raise ValueError(f"{name} is no behaviour on items")
    return {name.value: weight for name, weight in found.items()}


class JobSettings(BaseSettings):
    """Broker, model store and the rules of one training run; environment prefix ``SHOPGRAPH_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_", frozen=True, populate_by_name=True)

    redis_url: SecretStr = Field(validation_alias="REDIS_URL", description="broker and stream")
    model_store: Path = Field(
        default=Path(".shopgraph/models"), description="folder with one subfolder per model"
    )
    lease_ttl_s: float = Field(
        default=30.0, gt=1, description="a run whose worker is silent this long may be taken over"
    )
    visibility_timeout_s: int = Field(
        default=6 * 3600,
        ge=1,
        description="the broker hands out an unfinished job again after this",
    )
    run_attempts: int = Field(
        default=3, ge=1, description="a run that killed its worker this often is given up"
    )
    behaviour_weights: str = Field(
        default="",
        description="what one event counts where it is not the usual, such as `cart=6, view=0.5`;"
        " models learn it with the next training",
    )
    training_memory_mb: int | None = Field(
        default=None, ge=1, description="a training run may take so much; unset: what is free"
    )
    renew_every_s: float = Field(
        default=3600.0,
        ge=0,
        description="the live model gets new items and counters, untrained, not more often",
    )
    keep_models: int = Field(default=5, ge=2, description="model folders kept in the store")

    @field_validator("behaviour_weights")
    @classmethod
    def _weights_make_sense(cls, told: str) -> str:
        _weights(told)
        return told

    @property
    def weights(self) -> dict[str, float]:
        """The weights of ``behaviour_weights``, by behaviour."""
        return _weights(self.behaviour_weights)

    @property
    def broker_url(self) -> str:
        """The address with its password, for Celery."""
        return self.redis_url.get_secret_value()


class ScheduleSettings(BaseSettings):
    """When the bell rings; environment prefix ``SHOPGRAPH_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_", frozen=True)

    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="UTC", description="IANA zone of the times below"
    )
    retrain_at: time = Field(default=time(2, 30), description="local time of the nightly training")
    retention_at: time = Field(
        default=time(4, 30), description="local time at which what is too old goes"
    )
    refresh_every_s: int = Field(
        default=300, ge=10, description="seconds between two refreshes of stored embeddings"
    )
    quality_every_s: int = Field(
        default=3_600, ge=60, description="seconds between two reports on the quality of the data"
    )
    schedule_lease_ttl_s: float = Field(
        default=30.0, gt=1, description="a silent scheduler is replaced after this"
    )

    @property
    def zone(self) -> ZoneInfo:
        """The zone as an object."""
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Everything a worker reads at its start."""

    graph: GraphSettings
    jobs: JobSettings
    schedule: ScheduleSettings

    @classmethod
    def read(cls) -> "WorkerSettings":
        """From the environment; a missing value stops the start with its name."""
        return cls(graph=GraphSettings(), jobs=JobSettings(), schedule=ScheduleSettings())

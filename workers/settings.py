"""What the workers, the scheduler and the command line need to know."""

from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from graph.settings import GraphSettings


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name} is no time zone of the IANA list") from error
    return name


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
    keep_models: int = Field(default=5, ge=2, description="model folders kept in the store")

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
    refresh_every_s: int = Field(
        default=300, ge=10, description="seconds between two refreshes of stored embeddings"
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

"""For how long what is kept, and by when models forget."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PrivacySettings(BaseSettings):
    """Deadlines of erasure and retention; environment prefix ``SHOPGRAPH_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_", frozen=True)

    retrain_within_days: int = Field(
        default=30, ge=1, description="models that learnt from an erased person are gone by then"
    )
    payload_days: int = Field(
        default=90, ge=1, description="days that attributes and context of an event are kept"
    )
    edges_days: int = Field(default=730, ge=1, description="days that behaviour is kept")
    kept_sources: str = Field(
        default="import",
        description="sources, separated by commas, whose events never grow old: published data",
    )

"""For how long what is kept, and by when models forget."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PrivacySettings(BaseSettings):
    """Deadlines of erasure and retention; environment prefix ``SHOPGRAPH_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_", frozen=True)

    retrain_within_days: int = Field(
        default=30, ge=1, description="models that learnt from an erased person are gone by then"
    )

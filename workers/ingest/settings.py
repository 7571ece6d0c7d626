"""How the ingest process works: batch sizes and patience."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class IngestSettings(BaseSettings):
    """Batches and lease of the ingest process; prefix ``SHOPGRAPH_INGEST_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_INGEST_", frozen=True)

    batch_events: int = Field(default=10_000, ge=1, description="events per transaction, at most")
    block_ms: int = Field(default=500, ge=1, description="longest wait for the next event")
    lease_ttl_ms: int = Field(default=10_000, ge=1_000, description="a silent owner's time")
    retry_s: float = Field(default=0.5, gt=0, description="first pause when the graph is away")
    retry_max_s: float = Field(default=5.0, gt=0, description="longest pause of that kind")

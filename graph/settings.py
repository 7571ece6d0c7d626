"""How to reach the graph."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class GraphSettings(BaseSettings):
    """Address, login and patience of the Neo4j driver; environment prefix ``NEO4J_``."""

    model_config = SettingsConfigDict(env_prefix="NEO4J_", frozen=True)

    uri: str = Field(description="bolt:// or neo4j:// address of the server")
    user: str = Field(default="neo4j", description="login name")
    password: SecretStr | None = Field(
        default=None, description="login password; none: auth is off"
    )
    database: str = Field(default="neo4j", description="name of the database")
    max_connection_pool_size: int = Field(default=10, ge=1, description="connections per process")
    connection_acquisition_timeout_s: float = Field(
        default=3.0, gt=0, description="longest wait for a connection"
    )
    max_transaction_retry_time_s: float = Field(
        default=3.0, ge=0, description="how long a transaction is tried again"
    )

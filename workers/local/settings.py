"""Where the local services live and which ports they use."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from graph.server.ports import free_port


class Ports(BaseSettings):
    """Ports on 127.0.0.1; environment prefix ``SHOPGRAPH_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_", frozen=True, env_ignore_empty=True)

    bolt_port: int = Field(default=7687, ge=1, le=65535, description="Neo4j for drivers")
    http_port: int = Field(default=7474, ge=1, le=65535, description="Neo4j Browser")
    valkey_port: int = Field(default=6379, ge=1, le=65535, description="Valkey")
    api_port: int = Field(default=8000, ge=1, le=65535, description="the HTTP interface")

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nothing uses right now."""
        return cls(
            bolt_port=free_port(),
            http_port=free_port(),
            valkey_port=free_port(),
            api_port=free_port(),
        )


class LocalSettings(BaseSettings):
    """The data folder, a server that somebody unpacked, services that run elsewhere."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    shopgraph_home: Path = Field(default=Path(".shopgraph"), description="data folder")
    neo4j_uri: str | None = Field(default=None, description="a graph that runs elsewhere")
    neo4j_home: Path | None = Field(default=None, description="an unpacked Neo4j 5.26")
    redis_url: str | None = Field(default=None, description="a Valkey or Redis elsewhere")

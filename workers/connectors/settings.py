"""Which platforms are set up, and with which credentials."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

NONE = SecretStr("")


class ConnectorSettings(BaseSettings):
    """Credentials and rules of the connectors; environment prefix ``SHOPGRAPH_``."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_", frozen=True, env_ignore_empty=True)

    taobao_app_key: str = Field(default="", description="of the application; sets Taobao up")
    taobao_app_secret: SecretStr = Field(default=NONE, description="of the application")
    taobao_session: SecretStr = Field(default=NONE, description="session key of the shop")
    taobao_refresh_token: SecretStr = Field(default=NONE, description="renews the session")
    taobao_url: str = Field(
        default="https://gw.api.taobao.com/router/rest", description="address of the gateway"
    )
    taobao_item_field: Literal["num_iid", "outer_iid", "outer_sku_id"] = Field(
        default="num_iid", description="which id of an article is the shop's own"
    )
    taobao_calls_per_second: float = Field(default=10.0, gt=0, description="at most")

    jd_app_key: str = Field(default="", description="of the application; sets JD up")
    jd_app_secret: SecretStr = Field(default=NONE, description="of the application")
    jd_access_token: SecretStr = Field(default=NONE, description="of the shop")
    jd_refresh_token: SecretStr = Field(default=NONE, description="renews the access token")
    jd_url: str = Field(
        default="https://api.jd.com/routerjson", description="address of the gateway"
    )
    jd_token_url: str = Field(
        default="https://open-oauth.jd.com/oauth2/refresh_token",
        description="where the access token is renewed",
    )
    jd_item_field: Literal["skuId", "wareId", "outerSkuId"] = Field(
        default="skuId", description="which id of an article is the shop's own"
    )
    jd_calls_per_second: float = Field(default=10.0, gt=0, description="at most")

    connector_folder: Path | None = Field(
        default=None, description="TOML files of other connectors, see docs/connectors.md"
    )
    connector_secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="JSON: their keys or client secrets, by name"
    )
    webhook_secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="JSON: what signs their webhooks, by name"
    )

    pull_every_s: int = Field(default=300, ge=10, description="seconds between two pulls")
    pull_begin_days: int = Field(
        default=7, ge=1, description="how far back the first pull of a connector goes"
    )
    pull_overlap_minutes: int = Field(
        default=10, ge=0, description="each window begins so long before the end of the last"
    )

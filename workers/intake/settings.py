"""What the intake needs to know: keys, addresses, limits."""

import base64
import binascii

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from workers.intake.pseudonyms import Pseudonyms


class StreamSettings(BaseSettings):
    """Where the event stream is."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_", frozen=True, populate_by_name=True)

    redis_url: str = Field(validation_alias="REDIS_URL", description="address of Valkey or Redis")


class IntakeSettings(StreamSettings):
    """Keys and limits of the door and the stream; prefix ``SHOPGRAPH_``, except ``REDIS_URL``."""

    pseudonym_key: SecretStr = Field(description="base64 of 32 bytes, for pseudonyms")
    encryption_key: SecretStr = Field(description="base64 of 64 bytes, for encrypted ids")
    max_backlog_mib: int = Field(default=256, ge=1, description="events that may wait, in MiB")
    recent_hours: int = Field(default=24, ge=1, description="how long event ids are remembered")

    @field_validator("pseudonym_key", "encryption_key")
    @classmethod
    def _is_base64(cls, value: SecretStr) -> SecretStr:
        try:
            base64.b64decode(value.get_secret_value(), validate=True)
        except binascii.Error as error:
            raise ValueError("must be base64") from error
        return value

    def pseudonyms(self) -> Pseudonyms:
        """The stand-ins made with these keys."""
        return Pseudonyms(
            base64.b64decode(self.pseudonym_key.get_secret_value()),
            base64.b64decode(self.encryption_key.get_secret_value()),
        )

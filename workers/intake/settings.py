"""What the intake needs to know: keys, addresses, limits."""

import base64
import binascii

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from workers.intake.deadletters import Keeping
from workers.intake.intake import Quotas
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.stream import EventStream


class StreamSettings(BaseSettings):
    """Where the event stream is, and how much is put aside beside it."""

    model_config = SettingsConfigDict(env_prefix="SHOPGRAPH_", frozen=True, populate_by_name=True)

    redis_url: str = Field(validation_alias="REDIS_URL", description="address of Valkey or Redis")
    dead_letters_max: int = Field(default=100_000, ge=1, description="dead letters kept, at most")
    dead_letters_days: int = Field(default=30, ge=1, description="days a dead letter is kept")

    def keeping(self) -> Keeping:
        """How many dead letters are kept, and for how long."""
        return Keeping(self.dead_letters_max, self.dead_letters_days)


class IntakeSettings(StreamSettings):
    """Keys and limits of the door and the stream; prefix ``SHOPGRAPH_``, except ``REDIS_URL``."""

    pseudonym_key: SecretStr = Field(description="base64 of 32 bytes, for pseudonyms")
    encryption_key: SecretStr = Field(description="base64 of 64 bytes, for encrypted ids")
    max_backlog_mib: int = Field(default=256, ge=1, description="events that may wait, in MiB")
    recent_hours: int = Field(default=24, ge=1, description="how long event ids are remembered")

    browser_events_per_minute: int = Field(
        default=120_000, ge=0, description="events a browser key may send a minute; 0: no limit"
    )
    server_events_per_minute: int = Field(
        default=0, ge=0, description="events a server key may send a minute; 0: no limit"
    )
    events_per_day: int = Field(
        default=0, ge=0, description="events a key may send a day; 0: no limit"
    )
    bot_events_per_minute: int = Field(
        default=300, ge=1, description="events of one device a minute that no person makes"
    )

    @field_validator("pseudonym_key", "encryption_key")
    @classmethod
    def _is_base64(cls, value: SecretStr) -> SecretStr:
        try:
            _keys(value)
        except binascii.Error as error:
            raise ValueError("must be base64") from error
        return value

    def quotas(self) -> Quotas:
        """How much a key may send."""
        return Quotas(
            browser_per_minute=self.browser_events_per_minute,
            server_per_minute=self.server_events_per_minute,
            per_day=self.events_per_day,
            bot_per_minute=self.bot_events_per_minute,
        )

    def stream(self, pseudonyms: Pseudonyms) -> EventStream:
        """The event stream, with these limits."""
        return EventStream(
            self.redis_url,
            pseudonyms=pseudonyms,
            max_backlog_bytes=self.max_backlog_mib * 1024 * 1024,
            recent_s=self.recent_hours * 3600,
            keeping=self.keeping(),
        )

    def pseudonyms(self) -> Pseudonyms:
        """The stand-ins made with these keys."""
        return Pseudonyms(
            _keys(self.pseudonym_key),
            _keys(self.encryption_key),
        )


def _keys(told: SecretStr) -> list[bytes]:
    """The keys of all rotations, oldest first; commas stand between them."""
    return [base64.b64decode(key, validate=True) for key in told.get_secret_value().split(",")]

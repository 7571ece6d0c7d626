"""Every connector with the platform that it is tried on."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask

from tests.platforms import jd, rest, taobao
from tests.platforms.server import Platform, serving
from tests.platforms.shop import FakeClock, Shop
from workers.connectors.settings import ConnectorSettings
from workers.connectors.tokens import Token
from workers.intake.settings import IntakeSettings


@dataclass(frozen=True)
class Setup:
    """A platform that listens, and the settings that lead a connector to it."""

    name: str
    platform: Platform
    settings: ConnectorSettings


@dataclass(frozen=True)
class Kind:
    """How to set a platform up; its orders are counted from ``first``."""

    first: int
    serve: Callable[[Platform], Flask]
    settings: Callable[[str, Path], dict[str, Any]]


def _taobao(url: str, _: Path) -> dict[str, Any]:
    return {
        "taobao_app_key": taobao.APP_KEY, "taobao_app_secret": taobao.APP_SECRET,
        "taobao_session": "access-1", "taobao_refresh_token": "refresh-1",
        "taobao_url": f"{url}/router/rest",
    }  # fmt: skip


def _jd(url: str, _: Path) -> dict[str, Any]:
    return {
        "jd_app_key": jd.APP_KEY, "jd_app_secret": jd.APP_SECRET,
        "jd_access_token": "access-1", "jd_refresh_token": "refresh-1",
        "jd_url": f"{url}/routerjson", "jd_token_url": f"{url}/oauth2/refresh_token",
    }  # fmt: skip


def _rest(url: str, folder: Path) -> dict[str, Any]:
    (folder / "till.toml").write_text(rest.FORM.format(url=url))
    return {"connector_folder": folder, "connector_secrets": {"till": rest.CLIENT_SECRET}}


KINDS = {
    "taobao": Kind(100_000, taobao.gateway, _taobao),
    "jd": Kind(200_000, jd.gateway, _jd),
    "till": Kind(300_000, rest.interface, _rest),
}


def environment(redis_url: str) -> dict[str, str]:
    """What the intake reads from its environment."""
    return {
        "REDIS_URL": redis_url,
        "SHOPGRAPH_PSEUDONYM_KEY": base64.b64encode(b"p" * 32).decode(),
        "SHOPGRAPH_ENCRYPTION_KEY": base64.b64encode(bytes(range(64))).decode(),
    }


def intake_settings(redis_url: str) -> IntakeSettings:
    """The same as settings."""
    told = environment(redis_url)
    return IntakeSettings(
        REDIS_URL=redis_url,
        pseudonym_key=told["SHOPGRAPH_PSEUDONYM_KEY"],
        encryption_key=told["SHOPGRAPH_ENCRYPTION_KEY"],
    )  # type: ignore[arg-type, call-arg]


@dataclass
class KeptTokens:
    """Tokens in a dictionary."""

    kept: dict[str, Token] = field(default_factory=dict)

    def get(self, name: str, given: Token) -> Token:
        """The newest one."""
        return self.kept.get(name, given)

    def keep(self, name: str, given: Token, token: Token) -> None:
        """Keep a renewed one."""
        self.kept[name] = token


@contextmanager
def set_up(name: str, folder: Path, **shop: Any) -> Iterator[Setup]:
    """A platform that runs until the block ends."""
    kind = KINDS[name]
    platform = Platform(Shop(FakeClock(), kind.first, **shop))
    with serving(kind.serve(platform)) as url:
        yield Setup(name, platform, ConnectorSettings(**kind.settings(url, folder)))

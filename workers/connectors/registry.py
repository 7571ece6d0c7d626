"""The connectors that are set up, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import httpx

from workers.connectors.calls import Calls
from workers.connectors.connector import Clock, Connector
from workers.connectors.errors import SourceUnreadable, UnknownConnector
from workers.connectors.jd import Jd
from workers.connectors.jos import Jos
from workers.connectors.rest import Rest
from workers.connectors.rest_form import RestForm, read_rest_form
from workers.connectors.settings import NONE, ConnectorSettings
from workers.connectors.taobao import Taobao
from workers.connectors.tokens import Token, TokenStore
from workers.connectors.top import Top


@dataclass(frozen=True, slots=True)
class Means:
    """What a connector reaches its platform by, and keeps its tokens with."""

    http: httpx.Client
    store: TokenStore
    clock: Clock

    def calls(self, per_second: float) -> Calls:
        """The way to a platform, at most so many calls a second."""
        return Calls(self.http, per_second=per_second, clock=self.clock)


Build = Callable[[ConnectorSettings, Means], Connector]


def set_up(settings: ConnectorSettings) -> dict[str, Build]:
    """
    How to make each connector that has credentials or a file.

    Raises:
        SourceUnreadable: a file is no connector, or two have one name.
    """
    found: dict[str, Build] = {}
    if settings.taobao_app_key:
        found[Taobao.name] = _taobao
    if settings.jd_app_key:
        found[Jd.name] = _jd
    for form in rest_forms(settings):
        if form.name in found:
            raise SourceUnreadable(f"there are two connectors with the name {form.name}")
        if form.lists:
            found[form.name] = partial(_rest, form)
    return found


def rest_forms(settings: ConnectorSettings) -> list[RestForm]:
    """What the files of the connector folder say, in the order of their names."""
    folder = settings.connector_folder
    return (
        [] if folder is None else [read_rest_form(path) for path in sorted(folder.glob("*.toml"))]
    )


def build(name: str, settings: ConnectorSettings, means: Means) -> Connector:
    """
    One connector, ready to read.

    Raises:
        UnknownConnector: it is not set up.
    """
    known = set_up(settings)
    if name not in known:
        raise UnknownConnector(
            f"no connector {name} is set up; there are: {', '.join(sorted(known)) or 'none'}"
        )
    return known[name](settings, means)


def _taobao(settings: ConnectorSettings, means: Means) -> Connector:
    top = Top(
        settings.taobao_url,
        app_key=settings.taobao_app_key,
        app_secret=settings.taobao_app_secret.get_secret_value(),
        session=Token(
            settings.taobao_session.get_secret_value(),
            settings.taobao_refresh_token.get_secret_value(),
        ),
        store=means.store,
        calls=means.calls(settings.taobao_calls_per_second),
        clock=means.clock,
    )
    return Taobao(top, item_field=settings.taobao_item_field)


def _jd(settings: ConnectorSettings, means: Means) -> Connector:
    jos = Jos(
        settings.jd_url,
        settings.jd_token_url,
        app_key=settings.jd_app_key,
        app_secret=settings.jd_app_secret.get_secret_value(),
        token=Token(
            settings.jd_access_token.get_secret_value(),
            settings.jd_refresh_token.get_secret_value(),
        ),
        store=means.store,
        calls=means.calls(settings.jd_calls_per_second),
        clock=means.clock,
    )
    return Jd(jos, item_field=settings.jd_item_field)


def _rest(form: RestForm, settings: ConnectorSettings, means: Means) -> Connector:
    secret = settings.connector_secrets.get(form.name, NONE).get_secret_value()
    return Rest(form, secret=secret, store=means.store, calls=means.calls(form.per_second))

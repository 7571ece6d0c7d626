"""Access tokens that expire, and how the next one is had."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar

import structlog

from workers.connectors.errors import CredentialsRefused, PlatformRefused, TokenExpired
from workers.intake.errors import RefUnreadable
from workers.intake.pseudonyms import Pseudonyms
from workers.intake.valkey import connect, ours

T = TypeVar("T")

log = structlog.get_logger(__name__)

TOKENS = "shopgraph:connectors:tokens"


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """What a platform gives for credentials; ``refresh`` is empty where it gives none."""

    access: str
    refresh: str = ""


class TokenStore(Protocol):
    """Keeps the newest token of a connector beyond the life of a process."""

    def get(self, name: str, given: Token) -> Token:
        """The newest token since ``given`` was set, or ``given`` itself."""
        ...

    def keep(self, name: str, given: Token, token: Token) -> None:
        """Keep a renewed token."""
        ...


class SealedTokens:
    """
    Tokens in Valkey, encrypted.

    A platform makes the old refresh token worthless when it gives a new one, so a renewed token
    that is lost means that a person has to log in again.
    """

    def __init__(self, redis_url: str, pseudonyms: Pseudonyms) -> None:
        self._client = connect(redis_url)
        self._pseudonyms = pseudonyms

    def get(self, name: str, given: Token) -> Token:
        """The newest token; one that was renewed from other settings does not count."""
        with ours():
            sealed = self._client.hget(TOKENS, name)
        if sealed is None:
            return given
        try:
            kept = json.loads(self._pseudonyms.reveal(sealed.decode()))
        except RefUnreadable:
            return given
        if kept.pop("given") != _mark(given):
            return given
        return Token(**kept)

    def keep(self, name: str, given: Token, token: Token) -> None:
        """Encrypt and keep it."""
        text = json.dumps(asdict(token) | {"given": _mark(given)})
        with ours():
            self._client.hset(TOKENS, name, self._pseudonyms.seal(text))


class Access:
    """Makes calls with a token; one that has expired is renewed once."""

    def __init__(
        self, name: str, given: Token, store: TokenStore, renew: Callable[[Token], Token]
    ) -> None:
        """
        Args:
            renew: asks the platform for the next token.
        """
        self._name, self._given, self._store, self._renew = name, given, store, renew
        self._token: Token | None = None

    def call(self, ask: Callable[[str], T]) -> T:
        """
        The answer that a call with the access token gets.

        Raises:
            CredentialsRefused: not even a new token is taken, or there is none to be had.
        """
        if self._token is None:
            self._token = self._store.get(self._name, self._given)
        try:
            return ask(self._token.access)
        except TokenExpired as expired:
            self._token = self._next(self._token, expired)
        try:
            return ask(self._token.access)
        except TokenExpired as again:
            raise CredentialsRefused(f"a renewed token is refused as well: {again}") from again

    def _next(self, token: Token, expired: TokenExpired) -> Token:
        try:
            renewed = self._renew(token)
        except (TokenExpired, PlatformRefused) as error:
            raise CredentialsRefused(
                f"the token has expired ({expired}) and cannot be renewed: {error}"
            ) from error
        self._store.keep(self._name, self._given, renewed)
        log.info("token_renewed", connector=self._name)
        return renewed


def _mark(given: Token) -> str:
    return hashlib.sha256(f"{given.access}\0{given.refresh}".encode()).hexdigest()[:16]

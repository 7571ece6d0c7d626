"""The JD Open Platform: signed calls, its errors, and how a token is renewed."""

import json
from typing import Any

import httpx

from workers.connectors.calls import Answer, Calls
from workers.connectors.connector import Clock, beijing_wall
from workers.connectors.errors import PlatformRefused, PlatformTrouble, TokenExpired
from workers.connectors.signing import signature
from workers.connectors.tokens import Access, Token, TokenStore

_NO_TOKEN = frozenset({"18", "19"})
_BUSY = frozenset({"1", "2", "43", "65", "66", "67"})
"""Away, asked too often, broken inside, too slow."""


class Jos:
    """Asks methods of the platform in the name of a shop."""

    def __init__(
        self,
        url: str,
        token_url: str,
        *,
        app_key: str,
        app_secret: str,
        token: Token,
        store: TokenStore,
        calls: Calls,
        clock: Clock,
    ) -> None:
        self._url, self._token_url = url, token_url
        self._app_key, self._app_secret = app_key, app_secret
        self._calls, self._clock = calls, clock
        self._access = Access("jd", token, store, self._renewed)

    def ask(self, method: str, **parameters: Any) -> Answer:
        """
        The answer of a method, without its wrapping.

        Raises:
            PlatformError: there is none.
        """
        asked = json.dumps(parameters, ensure_ascii=False, sort_keys=True)
        return self._access.call(lambda token: self._ask(method, asked, token))

    def _ask(self, method: str, asked: str, token: str) -> Answer:
        answer = self._calls.ask(lambda: self._signed(method, asked, token), _judge)
        # The platform spells it so.
        inner = answer.get(method.replace(".", "_") + "_responce")
        if not isinstance(inner, dict):
            raise PlatformTrouble(f"{method} answers something else")
        if str(inner.get("code", "0")) != "0":
            raise PlatformTrouble(f"{method} answers code {inner['code']}")
        return inner

    def _signed(self, method: str, asked: str, token: str) -> httpx.Request:
        said = {
            "method": method, "app_key": self._app_key, "access_token": token, "v": "2.0",
            "timestamp": beijing_wall(self._clock.now_ms()), "360buy_param_json": asked,
        }  # fmt: skip
        said["sign"] = signature(self._app_secret, said)
        return httpx.Request("POST", self._url, data=said)

    def _renewed(self, token: Token) -> Token:
        if not token.refresh:
            raise PlatformRefused("there is no refresh token")
        said = {
            "app_key": self._app_key, "app_secret": self._app_secret,
            "grant_type": "refresh_token", "refresh_token": token.refresh,
        }  # fmt: skip
        answer = self._calls.ask(lambda: httpx.Request("POST", self._token_url, data=said))
        try:
            return Token(answer["access_token"], answer["refresh_token"])
        except KeyError as error:
            raise PlatformRefused("the answer holds no token") from error


def _judge(answer: Answer) -> None:
    error = answer.get("error_response")
    if error is None:
        return
    code = str(error.get("code"))
    if code in _NO_TOKEN:
        raise TokenExpired(f"error {code}")
    if code in _BUSY:
        raise PlatformTrouble(f"error {code}")
    raise PlatformRefused(f"error {code}")

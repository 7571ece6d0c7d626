"""The Taobao Open Platform: signed calls, its errors, and how a session is renewed."""

import json
import re
from collections.abc import Mapping

import httpx

from workers.connectors.calls import Answer, Calls
from workers.connectors.connector import DAY_MS, Clock, beijing_wall
from workers.connectors.errors import PlatformRefused, PlatformTrouble, TokenExpired
from workers.connectors.signing import signature
from workers.connectors.tokens import Access, Token, TokenStore

_NO_SESSION = frozenset({"26", "27"})
_CALL_LIMITED = "7"
_DAY_SPENT = "accesscontrol.limited-by-app-access-count"
_OFFSET_MS = 8 * 3_600_000
_BAN = re.compile(r"(\d+) more seconds?")


class Top:
    """Asks methods of the platform in the name of a shop."""

    def __init__(
        self,
        url: str,
        *,
        app_key: str,
        app_secret: str,
        session: Token,
        store: TokenStore,
        calls: Calls,
        clock: Clock,
    ) -> None:
        self._url, self._app_key, self._app_secret = url, app_key, app_secret
        self._calls, self._clock = calls, clock
        self._access = Access("taobao", session, store, self._renewed)

    def ask(self, method: str, **parameters: str) -> Answer:
        """
        The answer of a method, without its wrapping.

        Raises:
            PlatformError: there is none.
        """
        return self._access.call(lambda session: self._ask(method, parameters, session))

    def _ask(self, method: str, parameters: Mapping[str, str], session: str | None) -> Answer:
        said = {"method": method, "app_key": self._app_key, "v": "2.0", "format": "json"}
        said |= {"sign_method": "hmac-sha256", **parameters}
        if session is not None:
            said["session"] = session
        answer = self._calls.ask(lambda: self._signed(said), self._judge)
        wrapping = method.removeprefix("taobao.").replace(".", "_") + "_response"
        inner = answer.get(wrapping)
        if not isinstance(inner, dict):
            raise PlatformTrouble(f"{method} answers something else")
        return inner

    def _signed(self, parameters: Mapping[str, str]) -> httpx.Request:
        said = {**parameters, "timestamp": beijing_wall(self._clock.now_ms())}
        said["sign"] = signature(self._app_secret, said, "hmac-sha256")
        # In the body, since addresses are written into logs on the way.
        return httpx.Request("POST", self._url, data=said)

    def _judge(self, answer: Answer) -> None:
        error = answer.get("error_response")
        if error is None:
            return
        code, sub_code = str(error.get("code")), str(error.get("sub_code", ""))
        # The sentence beside the codes may repeat what was asked for, so it is not handed on.
        message = f"error {code} {sub_code}".rstrip()
        if code in _NO_SESSION:
            raise TokenExpired(message)
        if code == _CALL_LIMITED:
            raise PlatformTrouble(message, retry_after_s=self._pause_s(sub_code, error))
        if sub_code.startswith("isp."):
            raise PlatformTrouble(message)
        raise PlatformRefused(message)

    def _pause_s(self, sub_code: str, error: Mapping[str, object]) -> float | None:
        if sub_code == _DAY_SPENT:
            # Quotas of a day begin anew at midnight in Beijing.
            since_midnight_ms = (self._clock.now_ms() + _OFFSET_MS) % DAY_MS
            return (DAY_MS - since_midnight_ms) / 1_000
        ban = _BAN.search(f"{error.get('msg')} {error.get('sub_msg')}")
        return int(ban[1]) + 1 if ban else None

    def _renewed(self, token: Token) -> Token:
        if not token.refresh:
            raise PlatformRefused("there is no refresh token")
        answer = self._ask("taobao.top.auth.token.refresh", {"refresh_token": token.refresh}, None)
        try:
            found = json.loads(answer["token_result"])
            return Token(found["access_token"], found["refresh_token"])
        except (KeyError, TypeError, ValueError) as error:
            raise PlatformRefused("the answer holds no token") from error

"""Calls to a platform: paced, tried again, and no error taken for an answer."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from workers.connectors.connector import Clock
from workers.connectors.errors import PlatformRefused, PlatformTrouble, TokenExpired

TRIES = 4
LONGEST_WAIT_S = 120.0
"""Whoever is told to wait for longer ends the run; the bookmark stays where it is."""

TIMEOUT_S = 30.0
_BACK_OFF = wait_exponential_jitter(initial=1.0, max=LONGEST_WAIT_S / 2)

Answer = dict[str, Any]
Judge = Callable[[Answer], None]


class Calls:
    """The way to one platform, at most so many calls a second."""

    def __init__(self, http: httpx.Client, *, per_second: float, clock: Clock) -> None:
        self._http, self._clock = http, clock
        self._pause_ms = 1_000 / per_second
        self._next_ms = 0.0

    def ask(self, build: Callable[[], httpx.Request], judge: Judge = lambda _: None) -> Answer:
        """
        The answer to one question, an object of JSON.

        Args:
            build: makes the request anew for each try, since signatures hold the time.
            judge: raises for an answer that is an error in disguise.

        Raises:
            PlatformTrouble: no good answer, however often it was tried.
            PlatformRefused, TokenExpired: at once.
        """
        retrying = Retrying(
            retry=retry_if_exception(_is_worth_another_try),
            stop=stop_after_attempt(TRIES),
            wait=_as_told,
            sleep=self._clock.sleep,
            reraise=True,
        )
        return retrying(self._once, build, judge)

    def _once(self, build: Callable[[], httpx.Request], judge: Judge) -> Answer:
        self._keep_pace()
        try:
            response = self._http.send(build())
        except httpx.HTTPError as error:
            raise PlatformTrouble(f"no answer: {type(error).__name__}") from error
        answer = self._read(response)
        judge(answer)
        return answer

    def _keep_pace(self) -> None:
        wait_ms = self._next_ms - self._clock.now_ms()
        if wait_ms > 0:
            self._clock.sleep(wait_ms / 1_000)
        self._next_ms = max(self._next_ms, self._clock.now_ms()) + self._pause_ms

    def _read(self, response: httpx.Response) -> Answer:
        status = response.status_code
        if status == 429 or status >= 500:
            raise PlatformTrouble(f"status {status}", retry_after_s=self._told_wait(response))
        if status == 401:
            raise TokenExpired("status 401")
        if not response.is_success:
            raise PlatformRefused(f"status {status}")
        try:
            answer = response.json()
        except ValueError as error:
            # A login page or a maintenance page, or nothing at all, and all that with status 200.
            raise PlatformTrouble("the answer is not JSON") from error
        if not isinstance(answer, dict) or not answer:
            raise PlatformTrouble("the answer is empty")
        return answer

    def _told_wait(self, response: httpx.Response) -> float | None:
        told = response.headers.get("Retry-After", "").strip()
        if told.isdigit():
            return float(told)
        try:
            until = parsedate_to_datetime(told).timestamp()
        except ValueError:
            return None
        return max(0.0, until - self._clock.now_ms() / 1_000)


def within(answer: Any, *path: str) -> Any:
    """A part of an answer that has to be there; raises ``PlatformTrouble`` where it is not."""
    for name in path:
        if not isinstance(answer, dict) or name not in answer:
            raise PlatformTrouble(f"the answer lacks {name}")
        answer = answer[name]
    return answer


def _is_worth_another_try(error: BaseException) -> bool:
    return isinstance(error, PlatformTrouble) and (error.retry_after_s or 0) <= LONGEST_WAIT_S


def _as_told(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    told = error.retry_after_s if isinstance(error, PlatformTrouble) else None
    return _BACK_OFF(state) if told is None else told

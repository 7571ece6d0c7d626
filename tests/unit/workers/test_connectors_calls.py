"""Calls, signatures and tokens."""

from collections.abc import Callable

import httpx
import pytest

from tests.platforms.setups import KeptTokens
from tests.platforms.shop import FakeClock
from workers.connectors.calls import Calls, within
from workers.connectors.connector import Clock
from workers.connectors.errors import (
    CredentialsRefused,
    PlatformRefused,
    PlatformTrouble,
    TokenExpired,
)
from workers.connectors.signing import signature
from workers.connectors.tokens import Access, Token


def ask(*answers: httpx.Response, clock: FakeClock | None = None) -> dict:
    """The answer that a call gets, where the platform answers like this."""
    left = list(answers)
    time = clock or FakeClock()

    def answer(request: httpx.Request) -> httpx.Response:
        return left.pop(0) if len(left) > 1 else left[0]

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        calls = Calls(http, per_second=10, clock=Clock(time.now_ms, time.sleep))
        return calls.ask(lambda: httpx.Request("GET", "http://platform.example/?key=geheim"))


def test_the_signature_of_taobao_is_that_of_its_documentation() -> None:
    """The example of "API call method in detail"."""
    said = {
        "method": "taobao.item.seller.get", "timestamp": "2016-01-01 12:00:00",
        "app_key": "12345678", "session": "test", "format": "json", "v": "2.0",
        "sign_method": "md5", "fields": "num_iid,title,nick,price,num", "num_iid": "11223344",
    }  # fmt: skip
    assert signature("helloworld", said) == "66987CB115214E59E6EC978214934FB8"
    assert len(signature("helloworld", said, "hmac")) == 32
    assert len(signature("helloworld", said, "hmac-sha256")) == 64


def test_the_signature_of_jd_is_that_of_its_documentation() -> None:
    """The example of the developer guide."""
    said = {
        "360buy_param_json": '{"end_date":null,"optional_fields":null,'
        '"order_state":"WAIT_SELLER_STOCK_OUT","page":"1","page_size":"200","start_date":null}',
        "access_token": "yourtoken", "app_key": "yourappkey",
        "method": "jingdong.pop.order.search", "timestamp": "2021-05-07 09:20:39.683+0800",
        "v": "2.0",
    }  # fmt: skip
    assert signature("yourappSecret", said) == "D70825340F4084360B9362B60DFD7930"


@pytest.mark.parametrize(
    ("told", "waited"),
    [({"Retry-After": "7"}, 7), ({"Retry-After": "Sun, 01 Mar 2026 16:00:30 GMT"}, 30)],
)
def test_the_wait_may_be_seconds_or_a_moment(told: dict[str, str], waited: float) -> None:
    """Both forms of ``Retry-After``."""
    clock = FakeClock()
    assert ask(httpx.Response(429, headers=told), httpx.Response(200, json={"a": 1}), clock=clock)
    assert clock.slept_s == pytest.approx(waited, abs=0.2)


def test_a_wait_of_an_hour_is_left_to_the_next_run() -> None:
    """A worker does not sleep for so long; whoever runs it is told."""
    clock = FakeClock()
    with pytest.raises(PlatformTrouble) as said:
        ask(httpx.Response(503, headers={"Retry-After": "3600"}), clock=clock)
    assert (said.value.retry_after_s, clock.slept_s) == (3600, 0)


@pytest.mark.parametrize(
    "bad",
    [httpx.Response(200, text="<html>"), httpx.Response(200, text=""), httpx.Response(200, json={}),
     httpx.Response(200, json=[]), httpx.Response(200, text="null"), httpx.Response(502)],
)  # fmt: skip
def test_j2_what_is_no_object_is_no_answer(bad: httpx.Response) -> None:
    """Also with status 200."""
    with pytest.raises(PlatformTrouble):
        ask(bad)


@pytest.mark.parametrize(("status", "kind"), [(403, PlatformRefused), (401, TokenExpired)])
def test_a_refusal_is_not_asked_again(status: int, kind: type[Exception]) -> None:
    """Neither is the address, which may hold a key, repeated in the error."""
    clock = FakeClock()
    with pytest.raises(kind) as said:
        ask(httpx.Response(status), clock=clock)
    assert clock.slept_s == 0
    assert "geheim" not in str(said.value)


def test_a_part_that_is_missing_is_named() -> None:
    """So that a changed platform is seen at once."""
    assert within({"a": {"b": 0}}, "a", "b") == 0
    with pytest.raises(PlatformTrouble, match="lacks b"):
        within({"a": {}}, "a", "b")
    with pytest.raises(PlatformTrouble, match="lacks b"):
        within({"a": None}, "a", "b")


def only(good: str) -> Callable[[str], str]:
    """A call that takes one token."""

    def call(token: str) -> str:
        if token != good:
            raise TokenExpired("27")
        return "answer"

    return call


def test_a_renewed_token_is_kept_for_the_next_process() -> None:
    """The platform takes the old refresh token no more."""
    store = KeptTokens()
    given = Token("old", "r1")
    access = Access("taobao", given, store, lambda token: Token("new", token.refresh + "+"))
    assert access.call(only("new")) == "answer"
    assert store.kept["taobao"] == Token("new", "r1+")

    def never(token: Token) -> Token:
        raise AssertionError

    assert Access("taobao", given, store, never).call(only("new")) == "answer"


def test_where_no_token_can_be_had_both_reasons_are_said() -> None:
    """Why it was needed, and why there is none."""

    def refused(token: Token) -> Token:
        raise PlatformRefused("there is no refresh token")

    access = Access("jd", Token("old"), KeptTokens(), refused)
    with pytest.raises(CredentialsRefused, match=r"expired \(27\).*no refresh token"):
        access.call(only("new"))

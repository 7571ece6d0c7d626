"""Who may call what: keys with scopes, and the origins that pages may call from."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, Response, current_app, g, request

from backend.errors import KeyMissing, KeyWrong, OriginRefused, ScopeTooSmall
from backend.metrics import metrics

P = ParamSpec("P")
T = TypeVar("T")

HEADER = "X-API-Key"


class Scope(IntEnum):
    """What a key is for; each scope may do all that the ones before it may."""

    BROWSER = 1
    SERVER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A known key; of the key itself only the hash is kept."""

    scope: Scope
    name: str
    digest: bytes


class Keys:
    """The keys that are known, and the origins that pages may call from."""

    def __init__(self, keys: list[ApiKey], *, origins: frozenset[str] = frozenset()) -> None:
        self._keys = keys
        self.origins = origins

    @classmethod
    def parse(cls, text: str, *, origins: str = "") -> "Keys":
        """
        Read ``scope:name:key,…`` and ``origin,…``.

        Raises:
            ValueError: a part is not of that form; the message holds no key.
        """
        keys = [_parse_key(part.strip()) for part in text.split(",") if part.strip()]
        listed = frozenset(part.strip().rstrip("/") for part in origins.split(",") if part.strip())
        return cls(keys, origins=listed)

    def find(self, presented: str) -> ApiKey | None:
        """The key that was presented; takes as long for a wrong one as for a right one."""
        digest = _digest(presented)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def init_app(app: Flask, keys: Keys) -> None:
    """Hand the keys to the application and answer browsers of the listed origins."""
    app.extensions["shopgraph_keys"] = keys
    app.before_request(_answer_preflight)
    app.after_request(_allow_origin)


def requires(
    scope: Scope, *, key_in_body: Callable[[], str | None] | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """
    Let a view be called only with a key of this scope or a larger one.

    Args:
        key_in_body: where to look for a key that no header holds; a page that is left can send
            no header.
    """

    def decorate(view: Callable[P, T]) -> Callable[P, T]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            presented = request.headers.get(HEADER)
            if presented is None and key_in_body is not None:
                presented = key_in_body()
            admit(scope, presented)
            return view(*args, **kwargs)

        return guarded

    return decorate


def admit(scope: Scope, presented: str | None) -> None:
    """
    Check key, scope and origin of the request, in that order.

    A browser's key counts only from a page of a listed origin: browsers say where a page is from
    with every POST.

    Raises:
        KeyMissing, KeyWrong, ScopeTooSmall, OriginRefused: it may not.
    """
    if not presented:
        raise KeyMissing(f"send a key in {HEADER}")
    key = _keys().find(presented)
    if key is None:
        raise KeyWrong("the key is not known")
    if key.scope < scope:
        raise ScopeTooSmall(f"this call needs a key of scope {scope.name.lower()}")
    origin = request.headers.get("Origin")
    is_from_page = origin is not None or key.scope is Scope.BROWSER
    if is_from_page and origin not in _keys().origins:
        metrics().origins_refused.inc()
        raise OriginRefused("calls from this origin are not taken")
    g.key_name = key.name
    g.key_scope = key.scope


def _keys() -> Keys:
    keys = current_app.extensions["shopgraph_keys"]
    assert isinstance(keys, Keys)
    return keys


def _parse_key(part: str) -> ApiKey:
    pieces = part.split(":", 2)
    if len(pieces) != 3 or not all(pieces) or pieces[0].upper() not in Scope.__members__:
        raise ValueError("each key must read scope:name:key with scope browser, server or admin")
    scope, name, key = pieces
    return ApiKey(Scope[scope.upper()], name, _digest(key))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _answer_preflight() -> Response | None:
    is_preflight = "Access-Control-Request-Method" in request.headers
    # What lies outside the API holds nothing of the shop and says itself who may read it.
    if request.method != "OPTIONS" or not is_preflight or not request.path.startswith("/v1/"):
        return None
    response = Response(status=204)
    if request.headers.get("Origin") in _keys().origins:
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
        response.headers["Access-Control-Allow-Headers"] = f"Content-Type, {HEADER}, X-Request-ID"
        response.headers["Access-Control-Max-Age"] = "600"
    return response


def _allow_origin(response: Response) -> Response:
    origin = request.headers.get("Origin")
    if origin is not None:
        response.headers.add("Vary", "Origin")
        if origin in _keys().origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "X-Request-ID, Retry-After"
    return response

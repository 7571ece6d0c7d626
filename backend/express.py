"""A short way to the lists that shops ask for most: the answers of Flask, with less around."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import cycle
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, g
from pydantic import BaseModel

from backend import popular, recommendations, similar, tracing
from backend.answers import to_json
from backend.auth import HEADER, Keys, Scope
from backend.lists import Question, answered
from backend.metrics import metrics
from backend.parsing import QueryOf
from backend.questions import RecommendationsAsked

T = TypeVar("T", bound=BaseModel)

AT_ONCE = 2
"""Lists made at a time; more threads of one interpreter wait for each other, not for the disk."""

_REMEMBERED, _SHORT = 4_096, 256
"""So many queries are remembered as they were read, each of at most so many characters."""

_KEY = f"HTTP_{HEADER.upper().replace('-', '_')}"


class Way(Generic[T]):
    """How the query of a route becomes a question; what is asked again and again is read once."""

    def __init__(self, query: QueryOf[T], question: Callable[[T], Question | None]) -> None:
        self._query = query
        self._question = question
        self._read_once = lru_cache(_REMEMBERED)(self._read)

    def answer(self, text: str) -> dict[str, Any] | None:
        """The answer to a query; ``None`` where Flask is to say what is wrong with it."""
        if not text.isascii():
            return None
        try:
            asked = self._read_once(text) if len(text) <= _SHORT else self._read(text)
            question = self._question(asked)
            return None if question is None else answered(question)
        except Exception:
            # Flask goes the same way again, fails in the same way, and says so as for every call.
            return None

    def _read(self, text: str) -> T:
        return self._query.read(parse_qs(text, keep_blank_values=True, errors="strict").items())


def _first_page(asked: RecommendationsAsked) -> Question | None:
    return recommendations.question(asked) if asked.next is None else None


WAYS: Mapping[str, Way[Any]] = {
    "/v1/recommendations": Way(QueryOf(RecommendationsAsked), _first_page),
    "/v1/similar-items": Way(QueryOf(similar.SimilarAsked), similar.question),
    "/v1/popular-items": Way(QueryOf(popular.PopularAsked), popular.question),
}


class Express:
    """
    Stands before Flask, and answers an ordinary request for a list by itself.

    Whatever is not quite ordinary (another method, a page's origin, a key that may not, a query
    with a fault, a failure) goes to Flask untouched, so there is one place for each rule.
    """

    def __init__(self, app: Flask, keys: Keys) -> None:
        self._app = app
        self._keys = keys
        self._whole: WSGIApplication = app.wsgi_app
        self._turns = cycle([threading.Lock() for _ in range(AT_ONCE)])
        self._own = threading.local()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        way = WAYS.get(environ.get("PATH_INFO", ""))
        if way is None or environ["REQUEST_METHOD"] != "GET" or not self._may(environ):
            return self._whole(environ, start_response)
        began = time.perf_counter()
        with self._turn(), self._app.app_context():
            request_id = tracing.begin(environ.get("HTTP_X_REQUEST_ID"))
            told = way.answer(environ.get("QUERY_STRING", ""))
            if told is not None:
                seconds = time.perf_counter() - began
                metrics().answered("GET", environ["PATH_INFO"], 200, seconds, g.level)
        if told is None:
            return self._whole(environ, start_response)
        body = to_json(told)
        start_response("200 OK", [*_headers(body, request_id)])
        return [body]

    def _turn(self) -> threading.Lock:
        """The lock that this thread waits for; one semaphore for all takes ten times as long."""
        found: threading.Lock | None = getattr(self._own, "turn", None)
        if found is None:
            found = self._own.turn = next(self._turns)
        return found

    def _may(self, environ: WSGIEnvironment) -> bool:
        key = self._keys.find(environ.get(_KEY, ""))
        return key is not None and key.scope >= Scope.SERVER and "HTTP_ORIGIN" not in environ


def _headers(body: bytes, request_id: str) -> Iterable[tuple[str, str]]:
    yield "Content-Type", "application/json"
    yield "Content-Length", str(len(body))
    yield "X-Request-ID", request_id
    yield from tracing.ALWAYS.items()

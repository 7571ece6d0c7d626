"""A server that behaves as the documentation of the platforms says, and as they do on bad days."""

import json
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, Response
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.platforms.shop import FakeClock, Sale, Shop


@dataclass
class Faults:
    """
    What goes wrong.

    Attributes:
        script: of the next answers, one each: ``429``, ``500``, ``empty``, ``html``, ``ok``.
        every: one of these each so many calls, in turn.
        is_down: nothing is answered at all.
        stirs: records are changed while they are paged through.
    """

    script: deque[str] = field(default_factory=deque)
    every: int = 0
    is_down: bool = False
    stirs: bool = False
    met: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    def strike(self) -> Response | None:
        """The bad answer of this call, if it gets one."""
        self.calls += 1
        kind = self.script.popleft() if self.script else "ok"
        if self.every and self.calls % self.every == 0:
            kind = _KINDS[self.calls // self.every % len(_KINDS)]
        kind = "500" if self.is_down else kind
        if kind == "ok":
            return None
        self.met[kind] += 1
        return _BAD[kind]()


_BAD = {
    "429": lambda: Response("{}", 429, {"Retry-After": "7"}),
    "500": lambda: Response("broken", 500),
    "empty": lambda: Response("", 200),
    "html": lambda: Response("<html>please log in</html>", 200, {"Content-Type": "text/html"}),
}
_KINDS = list(_BAD)


@dataclass
class Platform:
    """
    One platform: its shop, its bad days, and the token it takes.

    Attributes:
        token: which access token is good; each renewal makes the next one.
        asked: what was asked for, in order.
    """

    shop: Shop
    faults: Faults = field(default_factory=Faults)
    token: int = 1
    renewals: int = 0
    is_locked: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def clock(self) -> FakeClock:
        """The time there."""
        return self.shop.clock

    def expire(self) -> None:
        """The access token is taken no more."""
        self.token += 1

    def renew(self) -> tuple[str, str]:
        """The next access token, and the token for the one after."""
        self.renewals += 1
        return f"access-{self.token}", f"refresh-{self.token}"

    def takes(self, token: str | None) -> bool:
        """Whether an access token is good."""
        return not self.is_locked and token == f"access-{self.token}"

    def page(self, found: list[Sale], number: int, size: int) -> list[Sale]:
        """A page of a list that is sorted already; after it some of the list is changed."""
        shown = found[(number - 1) * size : number * size]
        if self.faults.stirs and len(found) > size:
            self.shop.stir(found)
        return shown


def as_json(body: dict, status: int = 200) -> Response:
    """An answer of JSON."""
    return Response(json.dumps(body), status, content_type="application/json")


class _Quiet(WSGIRequestHandler):
    """Writes no line for each call."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The address of a server for the application, which ends with the block."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

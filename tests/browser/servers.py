"""A shop on an origin of its own, and a proxy before the API that can be made to fail."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
{item}
<title>shop</title>
<a id="next" href="/page?item=next">next</a>
<div data-shopgraph-recommendation="r-1">
  <button id="tip" data-shopgraph-item="tip" data-shopgraph-position="2">tip</button>
</div>
<script>
  window.faults = [];
  window.addEventListener('error', (e) => faults.push('error: ' + e.message));
  window.addEventListener('unhandledrejection', (e) => faults.push('rejection: ' + e.reason));
</script>
<script type="module">
  const { createTracker } = await import('{host}/tracker.js');
  window.create = (options) => createTracker({
    key: '{key}', flushMs: 100, retryMs: 200, maxRetryMs: 1000, timeoutMs: 2000, dwellMs: 1000,
    onError: (error) => (window.told ??= []).push(String(error)), ...options,
  });
  const said = new URLSearchParams(location.search).get('options');
  if (said !== 'none') window.sg = create(JSON.parse(said ?? '{}'));
  window.isReady = true;
</script>
"""


class Shop(ThreadingHTTPServer):
    """Pages of a shop: ``/page``, with the item of the query on it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ShopHandler)
        self.host = self.key = ""

    @property
    def origin(self) -> str:
        """Where its pages are from."""
        return f"http://127.0.0.1:{self.server_port}"


@dataclass(frozen=True)
class Posted:
    """A request for events that came by, and what was answered; 0 for nothing."""

    method: str
    content_type: str
    body: dict[str, Any]
    status: int
    at: float
    size: int

    @property
    def event_ids(self) -> list[str]:
        """The ids of its events."""
        return [row["event_id"] for row in self.body.get("events", [])]


@dataclass
class Answer:
    """What the proxy answers by itself, instead of asking the API."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"code": "made_up"}'


class Proxy(ThreadingHTTPServer):
    """
    Stands before the API.

    Attributes:
        answer: answered to every post of events in place of the API; None: pass it on.
        delay_s: how long each post waits.
        is_down: close the connection without a word.
        loses_answers: pass posts on, and close the connection instead of answering.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, api_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.api_port = api_port
        self.good()

    @property
    def origin(self) -> str:
        """Where the tracker is told that the API is."""
        return f"http://127.0.0.1:{self.server_port}"

    def good(self) -> None:
        """Pass everything on, and forget what came by."""
        self.answer: Answer | None = None
        self.delay_s = 0.0
        self.is_down = self.loses_answers = False
        self.posts: list[Posted] = []


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve in a thread for as long as the block lasts."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wait_for(is_so: Callable[[], Any], *, within_s: float = 15.0, what: str = "it") -> Any:
    """Wait until something is so, and say what it is; fails after a while."""
    until = time.monotonic() + within_s
    while True:
        found = is_so()
        if found:
            return found
        assert time.monotonic() < until, f"{what} did not come true within {within_s:.0f} s"
        time.sleep(0.05)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def tell(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _ShopHandler(_Handler):
    server: Shop

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        item = "".join(f'<meta name="shopgraph-item" content="{i}">' for i in query.get("item", []))
        page = PAGE.replace("{item}", item).replace("{host}", self.server.host)
        body = page.replace("{key}", self.server.key).encode()
        self.tell(200, body, {"Content-Type": "text/html; charset=utf-8"})


class _ProxyHandler(_Handler):
    server: Proxy

    def do_GET(self) -> None:
        self.tell(*self._ask(b""))

    def do_OPTIONS(self) -> None:
        self._note("OPTIONS", b"{}", 0)
        self.tell(*self._ask(b""))

    def do_POST(self) -> None:
        proxy = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(proxy.delay_s)
        if proxy.is_down:
            self._note("POST", body, 0)
            self.close_connection = True
            return
        if proxy.answer is not None:
            answer = proxy.answer
            self._note("POST", body, answer.status)
            origin = {"Access-Control-Allow-Origin": self.headers.get("Origin", "*")}
            exposed = {"Access-Control-Expose-Headers": "Retry-After"}
            self._tell_if_there(answer.status, answer.body, {**origin, **exposed, **answer.headers})
            return
        status, told, headers = self._ask(body)
        self._note("POST", body, status)
        if proxy.loses_answers:
            self.close_connection = True
            return
        self._tell_if_there(status, told, headers)

    def _tell_if_there(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.tell(status, body, headers)
        except ConnectionError:  # the browser waited no longer
            self.close_connection = True

    def _ask(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.api_port, timeout=30)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            kept = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in ("content-length", "transfer-encoding", "connection")
            }
            return response.status, response.read(), kept
        finally:
            connection.close()

    def _note(self, method: str, body: bytes, status: int) -> None:
        kind = self.headers.get("Content-Type", "")
        said = json.loads(body)
        self.server.posts.append(Posted(method, kind, said, status, time.monotonic(), len(body)))

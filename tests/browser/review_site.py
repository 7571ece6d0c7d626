"""A site with public reviews, whose pages and manners a test decides."""

from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

GOOD = """<!doctype html><meta charset="utf-8"><title>reviews</title>
<ul>{rows}</ul>{more}"""
ROW = """<li class="review"><b class="sku">{sku}</b><i class="stars" data-stars="{stars}/5">
★</i><time>{day}</time><p>fine <em>tea</em></p></li>"""


def review(sku: str, stars: int, day: str) -> str:
    """One review."""
    return ROW.format(sku=sku, stars=stars, day=day)


def page(*rows: str, more: str = "") -> str:
    """A page of reviews; ``more`` is what follows them."""
    return GOOD.format(rows="".join(rows), more=more)


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    path: str
    agent: str


@dataclass
class Answer:
    """What a path is answered."""

    body: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class ReviewSite(ThreadingHTTPServer):
    """
    Serves pages by path.

    Attributes:
        pages: by path; others are 404.
        asked: what came, in order, but for the icon that browsers ask for.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, Answer] = {}
        self.asked: list[Asked] = []

    @property
    def origin(self) -> str:
        """Where its pages are from."""
        return f"http://127.0.0.1:{self.server_port}"

    def shows(self, path: str, body: str, status: int = 200, **headers: str) -> None:
        """Answer a path so."""
        self.pages[path] = Answer(body, status, headers)

    def times(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(one.path == path for one in self.asked)


class _Handler(BaseHTTPRequestHandler):
    server: ReviewSite

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path != "/favicon.ico":
            self.server.asked.append(Asked(path, self.headers.get("User-Agent", "")))
        answer = self.server.pages.get(path, Answer("nothing here", 404))
        body = answer.body.encode()
        self.send_response(answer.status)
        kind = "text/plain" if path == "/robots.txt" else "text/html; charset=utf-8"
        for name, value in {"Content-Type": kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

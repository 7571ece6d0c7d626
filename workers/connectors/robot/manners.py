"""What a guest does: keeps to the listed hosts and to robots.txt, and does not hurry."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from protego import Protego

from workers.connectors.robot.errors import PageForbidden

PRODUCT = "ShopgraphRobot"
"""The name by which robots.txt may address us."""

_ROBOTS_BYTES = 512 * 1024
_TIMEOUT_S = 20.0
_NOBODY = "User-agent: *\nDisallow: /"


def user_agent(contact: str) -> str:
    """Who we are, to every site."""
    return f"{PRODUCT}/{version('shopgraph')} (+{contact})"


@dataclass
class Manners:
    """
    May a page be opened, and when.

    Attributes:
        allowed: hosts, in small letters.
        interval_s: least time between two pages of a host, whatever it allows.
        last: when the last page of a host was opened, by ``clock``.
    """

    allowed: frozenset[str]
    agent: str
    interval_s: float
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    last: dict[str, float] = field(default_factory=dict)
    _rules: dict[str, Any] = field(default_factory=dict)

    def check(self, url: str) -> None:
        """Raises ``PageForbidden`` where the list of hosts or robots.txt says no."""
        host = urlsplit(url).hostname or ""
        if host.lower() not in self.allowed:
            raise PageForbidden(f"{host} is not one of SHOPGRAPH_ROBOT_HOSTS")
        if not self._of(url).can_fetch(url, PRODUCT):
            raise PageForbidden(f"robots.txt of {host} does not allow {urlsplit(url).path}")

    def wait(self, url: str) -> float:
        """Wait until the host may be asked again; gives the seconds between two pages."""
        rules, host = self._of(url), urlsplit(url).netloc
        rate = rules.request_rate(PRODUCT)
        pause = max(
            self.interval_s,
            float(rules.crawl_delay(PRODUCT) or 0.0),
            rate.seconds / rate.requests if rate else 0.0,
        )
        left = self.last.get(host, float("-inf")) + pause - self.clock()
        if left > 0:
            self.sleep(left)
        self.last[host] = self.clock()
        return pause

    def _of(self, url: str) -> Any:
        parts = urlsplit(url)
        if parts.netloc not in self._rules:
            address = f"{parts.scheme}://{parts.netloc}/robots.txt"
            self._rules[parts.netloc] = Protego.parse(_fetched(address, self.agent))
        return self._rules[parts.netloc]


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects of robots.txt on its own host only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetched(address: str, agent: str) -> str:
    """
    The text of robots.txt.

    A site without one (4xx) allows everything; one that cannot say (5xx, no answer) allows nothing
    (RFC 9309, section 2.3.1).
    """
    request = urllib.request.Request(address, headers={"User-Agent": agent})  # noqa: S310
    try:
        with urllib.request.build_opener(_SameHost).open(request, timeout=_TIMEOUT_S) as answer:
            return str(answer.read(_ROBOTS_BYTES).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        return "" if 400 <= error.code < 500 and error.code != 429 else _NOBODY
    except (OSError, HTTPException):
        return _NOBODY

"""One run over a site: every page is good, or nothing of the run counts."""

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from workers.connectors.robot.errors import PageBlocked, PageChanged
from workers.connectors.robot.manners import Manners
from workers.connectors.robot.pages import Look, Row, Verdict
from workers.connectors.robot.records import Collected, Records, Visit
from workers.connectors.robot.site import KEY, Site

log = structlog.get_logger(__name__)

_ERRORS = {Verdict.BLOCKED: PageBlocked, Verdict.CHANGED: PageChanged}


class Browser(Protocol):
    """What opens pages."""

    def look(self, site: Site, url: str) -> Look:
        """Open a page and say what it is."""
        ...

    def snapshot(self) -> tuple[str, bytes]:
        """The page as it is: HTML and picture."""
        ...


def collect(
    site: Site,
    browser: Browser,
    manners: Manners,
    records: Records,
    *,
    keeps_pages: bool = False,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Collected:
    """
    Open the pages of a site one after the other, and keep their rows once all were good.

    Args:
        keeps_pages: archive every page, for somebody to label.

    Raises:
        PageForbidden: we may not open a page; it was not opened.
        PageBlocked, PageChanged: a page is not data. It is archived, the site is not asked again,
            and the rows of the run before stay as they were.
    """
    begun_ms, rows = clock_ms(), dict[str, Row]()
    ahead, opened = list(site.pages), set[str]()
    while ahead and len(opened) < site.max_pages:
        url = ahead.pop(0)
        if url in opened:
            continue
        opened.add(url)
        look = _visit(site, url, browser, manners)
        _note(look, records, browser, begun_ms, clock_ms(), keeps_page=keeps_pages)
        rows.update((row[KEY], row) for row in look.rows)
        if look.next:
            ahead.insert(0, look.next)
    records.keep(site.columns, rows.values())
    log.info("pages_collected", site=site.name, pages=len(opened), rows=len(rows))
    return Collected(len(opened), len(rows))


def _visit(site: Site, url: str, browser: Browser, manners: Manners) -> Look:
    manners.check(url)
    manners.wait(url)
    look = browser.look(site, url)
    if look.landed.startswith("http") and look.landed != url:
        manners.check(look.landed)
    return look


def _note(
    look: Look,
    records: Records,
    browser: Browser,
    begun_ms: int,
    at_ms: int,
    *,
    keeps_page: bool,
) -> None:
    """Remember a page; raises if it is no data."""
    records.note(
        Visit(begun_ms, at_ms, look.url, look.verdict, look.reason, look.seen, look.matched)
    )
    place = None
    if keeps_page or look.verdict is not Verdict.GOOD:
        place = records.archive(look, at_ms, browser.snapshot())
    if look.verdict is not Verdict.GOOD:
        log.warning("page_refused", site=records.name, verdict=look.verdict, reason=look.reason)
        raise _ERRORS[look.verdict](
            f"{look.url} is {look.verdict}: {look.reason}; nothing of this run is kept. See {place}"
        )

"""A site's file: which pages, which selectors, and what their cells mean."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from workers.connectors.errors import SourceMissing, SourceUnreadable
from workers.connectors.files.mapping import EventMapping, Strict, read_toml
from workers.connectors.robot.errors import SiteUnreadable

URL, ROW, KEY = "url", "row", "key"
"""Columns that every row has: its page, its place on it from 1, and a hash of what it says."""


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"no pattern: {error}") from error
    if groups != 1:
        raise ValueError("a pattern has one group: what is kept")
    return text


def _page(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a page is an http or https address")
    return url


class SiteField(Strict):
    """
    One cell of a row.

    Attributes:
        selector: CSS, from the row on; empty for the row itself.
        attribute: taken in place of the text.
        pattern: regular expression whose one group is kept.
        is_required: a row without it is a sign of a changed page.
    """

    selector: str = ""
    attribute: str = ""
    pattern: Annotated[str, AfterValidator(_pattern)] = "(?s)(.*)"
    is_required: bool = True

    def cell(self, found: str | None) -> str | None:
        """What is kept of what the page says; ``None`` where the selector matched nothing."""
        kept = None if found is None else re.search(self.pattern, found.strip())
        return None if kept is None else " ".join((kept[1] or "").split()) or None


class Blocked(Strict):
    """How this site says no, beside the ways that are known of all sites."""

    selectors: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


class Site(Strict):
    """
    What a site's file holds.

    Attributes:
        pages: where to begin; all are public and on hosts that are allowed.
        next: selector of the link to the page that follows.
        rows: selector of what becomes a row.
        min_rows: fewer rows on a page are a sign of a changed page.
        min_share: of its rows in which each required field is found.
        wait_s: longest time until a page shows its rows.
        events: what the cells mean, as in a mapping file; without it rows are only kept as CSV.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    pages: tuple[Annotated[str, AfterValidator(_page)], ...] = Field(min_length=1)
    next: str = ""
    max_pages: int = Field(default=50, ge=1, le=10_000)
    interval_s: float = Field(default=0.0, ge=0.0)
    rows: str
    min_rows: int = Field(default=1, ge=1)
    min_share: float = Field(default=0.9, gt=0.0, le=1.0)
    wait_s: float = Field(default=10.0, ge=0.0, le=60.0)
    fields: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], SiteField] = Field(
        min_length=1
    )
    blocked: Blocked = Blocked()
    events: EventMapping | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of its rows."""
        return (URL, ROW, KEY, *self.fields)

    def mapping(self) -> EventMapping | None:
        """What the cells mean; who names nobody gets a visitor of their own for each row."""
        if self.events is None:
            return None
        columns: dict[str, str] = {"event_id": KEY, **self.events.columns}
        if not {"user_id", "anonymous_id"} & columns.keys():
            columns["anonymous_id"] = KEY
        return self.events.model_copy(update={"columns": columns, "source": f"robot-{self.name}"})


def read_site(path: Path) -> Site:
    """
    The site that a TOML file describes.

    Raises:
        SiteUnreadable: it does not; the sentence says what is wrong where.
    """
    try:
        site = read_toml(path, Site, what="description of a site")
    except (SourceMissing, SourceUnreadable) as error:
        raise SiteUnreadable(str(error)) from error
    mapping = site.mapping()
    strange = set() if mapping is None else {*mapping.columns.values()} - {*site.columns}
    if reserved := {URL, ROW, KEY} & site.fields.keys():
        raise SiteUnreadable(f"{path}: every row has {', '.join(sorted(reserved))} by itself")
    if strange:
        raise SiteUnreadable(f"{path}: no fields of this site: {', '.join(sorted(strange))}")
    return site

"""What a loaded page shows: its rows, or why it is no page to take rows from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from workers.connectors.robot.site import KEY, ROW, URL, Site

REFUSALS = frozenset({401, 402, 403, 407, 429, 451, 503})
CAPTCHAS = (
    "iframe[src*='captcha' i]", "[class*='captcha' i]", "[id*='captcha' i]", "#challenge-form",
    "[class*='cf-challenge']", "[data-sitekey]",
)  # fmt: skip
LOGIN = "input[type='password']"
LOGIN_WALL = "a login wall"

SCRIPT = """
const [site, captchas, login] = arguments;
const has = (css) => document.querySelector(css) !== null;
const told = (row, field) => {
  const found = field.selector ? row.querySelector(field.selector) : row;
  if (!found) return null;
  return field.attribute ? found.getAttribute(field.attribute) : found.textContent;
};
const entry = performance.getEntriesByType('navigation')[0];
const text = document.body ? document.body.innerText : '';
return {
  url: location.href,
  status: entry ? entry.responseStatus : 0,
  captcha: captchas.some(has),
  login: has(login),
  blocked: site.blocked.selectors.filter(has).concat(
    site.blocked.texts.filter((one) => text.includes(one))),
  next: site.next && has(site.next) ? document.querySelector(site.next).href || '' : '',
  rows: [...document.querySelectorAll(site.rows)].map((row) => Object.fromEntries(
    Object.entries(site.fields).map(([name, field]) => [name, told(row, field)]))),
};
"""
"""Everything at one moment, so that a page that changes does not mix two of its states."""

Row = dict[str, str]


class Verdict(StrEnum):
    """What a page turned out to be."""

    GOOD = "good"
    BLOCKED = "blocked"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Look:
    """
    What was seen of a page.

    Attributes:
        landed: where the address led to in the end.
        rows: cells by column; empty unless the verdict is good.
        seen: rows that the row selector matched.
        matched: rows in which each field was found.
        next: address of the page that follows; empty for none.
    """

    url: str
    verdict: Verdict
    reason: str
    seen: int = 0
    matched: dict[str, int] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    next: str = ""
    landed: str = ""


def judge(site: Site, url: str, shown: dict[str, Any]) -> Look:
    """
    What a page is.

    Args:
        url: that was asked for.
        shown: what ``SCRIPT`` found.
    """
    cells = [
        {name: field.cell(row[name]) for name, field in site.fields.items()}
        for row in shown["rows"]
    ]
    matched = {name: sum(row[name] is not None for row in cells) for name in site.fields}
    verdict, reason = _verdict(site, shown, matched)
    rows = _rows(url, cells, site) if verdict is Verdict.GOOD else ()
    return Look(url, verdict, reason, len(cells), matched, rows, shown["next"], shown["url"])


def _verdict(site: Site, shown: dict[str, Any], matched: dict[str, int]) -> tuple[Verdict, str]:
    seen, status = len(shown["rows"]), shown["status"]
    if status in REFUSALS:
        return Verdict.BLOCKED, f"status {status}"
    if shown["captcha"]:
        return Verdict.BLOCKED, "a captcha"
    if shown["blocked"]:
        return Verdict.BLOCKED, f"a sign of this site: {shown['blocked'][0]}"
    # A page may have a login form in its corner; a wall is one that hides the rows.
    if shown["login"] and seen < site.min_rows:
        return Verdict.BLOCKED, LOGIN_WALL
    if status and status != 200:
        return Verdict.CHANGED, f"status {status}"
    if seen < site.min_rows:
        return Verdict.CHANGED, f"{seen} rows, {site.min_rows} expected"
    for name, told in site.fields.items():
        if told.is_required and matched[name] < site.min_share * seen:
            return Verdict.CHANGED, f"{name} in {matched[name]} of {seen} rows"
    return Verdict.GOOD, ""


def _rows(url: str, cells: Sequence[dict[str, str | None]], site: Site) -> list[Row]:
    """Rows that have all they need; the rest is a matter of the share."""
    needed = [name for name, told in site.fields.items() if told.is_required]
    rows = []
    for place, row in enumerate(cells, start=1):
        if all(row[name] is not None for name in needed):
            said = {name: value or "" for name, value in row.items()}
            rows.append({URL: url, ROW: str(place), KEY: _key(site, said), **said})
    return rows


def _key(site: Site, said: Row) -> str:
    # Without page and place: a row that moves on to the next page is still that row.
    content = orjson.dumps([site.name, said], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()[:32]

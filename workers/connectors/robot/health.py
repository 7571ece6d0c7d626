"""How well each selector of a site still finds what it looks for."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from workers.connectors.robot.pages import Verdict
from workers.connectors.robot.records import Visit

EARLIER = 10
"""Runs that the newest one is compared with, at most."""

FALLS = 0.1
"""A share that is lower than before by more than this falls."""

PAGES = "(rows)"
"""Stands for the selector of rows: its share is that of pages on which it matched."""


@dataclass(frozen=True, slots=True)
class SelectorHealth:
    """
    One selector of a site.

    Attributes:
        now: share of rows (of pages, for ``PAGES``) in which it matched in the newest run.
        before: the same over the runs before; none for the first run.
    """

    selector: str
    now: float
    before: float | None

    @property
    def falls(self) -> bool:
        """Whether it finds less than it did."""
        return self.before is not None and self.now < self.before - FALLS


@dataclass(frozen=True, slots=True)
class SiteHealth:
    """The newest run of a site: when it began (milliseconds UTC), how it ended, its selectors."""

    run_ms: int
    pages: int
    rows: int
    verdict: Verdict
    reason: str
    selectors: tuple[SelectorHealth, ...]


def health(visits: Sequence[Visit]) -> SiteHealth | None:
    """What the history says; none for a site that was never visited."""
    if not visits:
        return None
    runs = defaultdict[int, list[Visit]](list)
    for visit in visits:
        runs[visit.run_ms].append(visit)
    *earlier, newest = (runs[run_ms] for run_ms in sorted(runs))
    now = _shares(newest)
    before = _shares([visit for run in earlier[-EARLIER:] for visit in run])
    return SiteHealth(
        newest[0].run_ms,
        len(newest),
        sum(visit.seen for visit in newest),
        newest[-1].verdict,
        newest[-1].reason,
        tuple(SelectorHealth(name, share, before.get(name)) for name, share in now.items()),
    )


def _shares(visits: Sequence[Visit]) -> dict[str, float]:
    """By selector; one whose rows were not there at all matched none of them."""
    if not visits:
        return {}
    seen = sum(visit.seen for visit in visits)
    names = dict.fromkeys(name for visit in visits for name in visit.matched)
    pages = sum(visit.seen > 0 for visit in visits) / len(visits)
    return {PAGES: pages} | {
        name: sum(visit.matched.get(name, 0) for visit in visits) / seen if seen else 0.0
        for name in names
    }

"""A report as one page: what was found, how each source went over time, every figure."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from graph.domain.quality import Figure, Report
from ml.evaluation.records import Curve
from ml.studies.pictures import curves_svg
from workers.quality.checks import CHECKS

TEMPLATE = Path(__file__).with_name("page.html")

DRAWN = (
    "row_count",
    "completeness_pct",
    "accuracy_pct",
    "latency_p95_seconds",
    "duplicate_pct",
    "missing_pct",
    "price_outlier_pct",
    "freshness_seconds",
)
"""Checks whose history is drawn, source by source."""

_HOUR_MS = 3_600_000


def page(history: Sequence[Report]) -> str:
    """
    The page as text; needs no file beside it and loads nothing.

    Args:
        history: reports, newest first; the first one is shown whole, the others in the curves.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    newest = history[0]
    sources = sorted({one.source for one in newest.figures if one.source})
    return template.render(
        report=newest,
        checks=CHECKS,
        sources={source: _of(newest, source) for source in sources},
        everywhere=_of(newest, ""),
        pictures={source: _pictures(history, source) for source in sources},
        when=when,
    )


def when(ms: int) -> str:
    """A moment for people, in UTC."""
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _of(report: Report, source: str) -> list[Figure]:
    return [one for one in report.figures if one.source == source]


def _pictures(history: Sequence[Report], source: str) -> list[Markup]:
    """One picture for each check, one curve for each type; time runs in hours up to the report."""
    drawn = []
    for check in DRAWN:
        points: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        for report in reversed(history):
            hours = (report.as_of_ms - history[0].as_of_ms) / _HOUR_MS
            for one in _of(report, source):
                if one.check == check and one.value is not None:
                    name = " ".join(part for part in (one.event_type, one.detail) if part)
                    points[name or "all"].append((hours, one.value))
        # The kind is the title, and keeps the ids of two pictures on the page apart.
        title = f"{check}, {source}"
        curves = [
            Curve(kind=title, model=name, x=[x for x, _ in found], y=[y for _, y in found])
            for name, found in sorted(points.items())
        ]
        if curves:
            drawn.append(Markup(curves_svg(title, curves)))  # noqa: S704
    return drawn

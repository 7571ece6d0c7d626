"""``shopgraph quality``: measure the data, look at reports and at the rows behind a figure."""

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from graph import quality_reports
from graph.client import Graph
from graph.domain.quality import Report
from graph.settings import GraphSettings
from workers.commands.output import console, print_json, table
from workers.errors import NoReport
from workers.intake.settings import StreamSettings
from workers.leases import now_ms
from workers.quality.facts import window_at
from workers.quality.monitor import look
from workers.quality.rows import failing_rows
from workers.quality.settings import QualitySettings

_HTML = click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with curves too."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON in place of tables.")
_CURVE_REPORTS = 24 * 7


@click.group()
def quality() -> None:
    """Measure the data, look at reports, or at the rows behind a figure."""


@quality.command("run")
@_HTML
@_JSON
def run_(html: Path | None, as_json: bool) -> None:
    """Make a report now and keep it; ends with 1 where something blocks a training."""
    with closing(Graph(GraphSettings())) as graph:
        redis_url = StreamSettings().redis_url
        report = look(graph, redis_url, QualitySettings(), as_of_ms=now_ms())
        _tell(graph, report, html, as_json=as_json)
    if report.blocks:
        raise SystemExit(1)


@quality.command()
@_HTML
@_JSON
def show(html: Path | None, as_json: bool) -> None:
    """The newest report."""
    with closing(Graph(GraphSettings())) as graph:
        _tell(graph, _newest(graph), html, as_json=as_json)


@quality.command()
@click.option("--limit", default=24, show_default=True, type=click.IntRange(1, 2_000))
@_JSON
def history(limit: int, as_json: bool) -> None:
    """The latest reports, newest first, and what each found."""
    with closing(Graph(GraphSettings())) as graph:
        reports = graph.read(quality_reports.history, since_ms=0, limit=limit)
    if as_json:
        print_json([asdict(report) for report in reports])
        return
    rows = [
        (_when(one.as_of_ms), len(one.findings), len(one.blocks),
         ", ".join(sorted({found.figure.check for found in one.findings})))
        for one in reports
    ]  # fmt: skip
    console.print(table("Reports", ("as of", "findings", "that block", "checks"), rows))


@quality.command()
@click.argument("check")
@click.option("--source", help="Only rows of this source.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@_JSON
def rows(check: str, source: str | None, limit: int, as_json: bool) -> None:
    """The rows behind a figure of the newest report, such as price_outlier_pct; newest first."""
    with closing(Graph(GraphSettings())) as graph:
        window = window_at(_newest(graph).as_of_ms, QualitySettings().window_hours)
        redis_url = StreamSettings().redis_url
        found = failing_rows(graph, redis_url, check, window, source=source, limit=limit)
    if as_json:
        print_json(found)
        return
    names = list(found[0]) if found else []
    console.print(table(f"{len(found)} rows of {check}", names, [list(r.values()) for r in found]))


def _newest(graph: Graph) -> Report:
    report = graph.read(quality_reports.latest)
    if report is None:
        raise NoReport("there is no report yet: shopgraph quality run")
    return report


def _tell(graph: Graph, report: Report, html: Path | None, *, as_json: bool) -> None:
    if html is not None:
        _write_page(graph, html)
    if as_json:
        print_json(asdict(report))
        return
    console.print(f"As of {_when(report.as_of_ms)}, since {_when(report.begin_ms)}:")
    title = f"{len(report.findings)} findings, {len(report.blocks)} of them block a training"
    columns = ("level", "found", "owner")
    told: list[tuple[Any, ...]] = [
        (one.level.value, one.sentence, one.owner) for one in report.findings
    ]
    console.print(table(title, columns, told))
    figures = [
        (one.check, one.source, one.event_type, one.detail, one.value, one.count, one.total)
        for one in report.figures
    ]
    names = ("check", "source", "type", "detail", "value", "rows", "of")
    console.print(table("Figures", names, figures))
    console.print(table("Flagged so far", ("what", "edges"), list(report.cleaned.items())))


def _write_page(graph: Graph, path: Path) -> None:
    try:
        from workers.quality.page import page
    except ImportError as error:
        raise click.ClickException(
            "the page needs jinja2 and matplotlib: pip install 'shopgraph[evaluate]'"
        ) from error
    reports = graph.read(quality_reports.history, since_ms=0, limit=_CURVE_REPORTS)
    path.write_text(page(reports), encoding="utf-8")


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="seconds")

"""One look at the data: clean, measure, judge, keep the report."""

import time

import structlog

from graph import pulls, quality_reports
from graph.client import Graph
from graph.domain.quality import Figure, Finding, Report
from workers.cleaning import clean
from workers.quality.checks import CHECKS, EITHER_WAY
from workers.quality.facts import DAY_MS, read_facts
from workers.quality.figures import figures
from workers.quality.settings import QualitySettings

log = structlog.get_logger(__name__)

_LEAST = {"skewed_device_pct": 10}
"""Checks whose shares are not of rows, and how many of what they need to be judged."""


def look(graph: Graph, redis_url: str, settings: QualitySettings, *, as_of_ms: int) -> Report:
    """
    Make a report as of now and keep it.

    Raises:
        GraphUnavailable, StreamUnavailable: a store is away; nothing was kept.
    """
    began = time.monotonic()
    data_seq = graph.read(pulls.last_seq)
    cleaned = clean(graph, within_ms=settings.match_minutes * 60_000)
    facts = read_facts(graph, redis_url, settings, as_of_ms)
    measured = figures(facts, settings)
    report = Report(
        report_id=f"q-{as_of_ms}",
        as_of_ms=as_of_ms,
        begin_ms=facts.window.begin_ms,
        data_seq=data_seq,
        figures=measured,
        findings=judge(measured, settings),
        cleaned=cleaned,
    )
    keep_after_ms = as_of_ms - settings.keep_days * DAY_MS
    graph.write(quality_reports.store, report, keep_after_ms=keep_after_ms)
    log.info(
        "quality_measured",
        figures=len(measured),
        findings=len(report.findings),
        blocks=len(report.blocks),
        duration_ms=int(1_000 * (time.monotonic() - began)),
    )
    return report


def judge(measured: list[Figure], settings: QualitySettings) -> list[Finding]:
    """The figures that are beyond their thresholds, in the order of the checks."""
    order = {name: place for place, name in enumerate(CHECKS)}
    found = []
    for one in sorted(measured, key=lambda one: order[one.check]):
        threshold = settings.threshold(one.check)
        least = _LEAST.get(one.check, settings.min_rows)
        is_small = one.total is not None and one.total < least
        if one.value is None or threshold is None or is_small:
            continue
        value = abs(one.value) if one.check in EITHER_WAY else one.value
        if value < threshold if CHECKS[one.check].is_floor else value > threshold:
            level, owner = settings.level(one.check), settings.owner(one.check)
            found.append(Finding(figure=one, threshold=threshold, level=level, owner=owner))
    return found

"""Whether the data may be learnt from: what the newest report blocks stops a training."""

from graph import quality_reports
from graph.client import Graph
from graph.domain.quality import Report
from workers.errors import GateRefused
from workers.progress import Reporter

FRESH_MS = 24 * 3_600_000
"""An older report says nothing about the data of today."""


def refuse_blocked(graph: Graph, reporter: Reporter, *, share: float, now_ms: int) -> None:
    """
    Note on the run which report it was judged by, and end it where that blocks.

    Args:
        share: how much of the run is done.

    Raises:
        GateRefused: the sentence names what was found; the model before stays.
    """
    report = graph.read(quality_reports.latest)
    if report is None or now_ms - report.as_of_ms > FRESH_MS:
        reporter.at("gate", share, {"quality_report": None})
        return
    reporter.at("gate", share, {"quality_report": report.report_id}, at_once=True)
    reason = refusal(report)
    if reason is not None:
        raise GateRefused(reason)


def refusal(report: Report) -> str | None:
    """Why nothing may be learnt from the data of a report; ``None`` where it may."""
    if not report.blocks:
        return None
    found = "; ".join(one.sentence for one in report.blocks)
    return f"the data is not good enough to learn from ({report.report_id}): {found}"

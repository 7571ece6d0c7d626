"""Reports on the quality of the data, as the hourly job keeps them."""

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, RootModel

from backend.answers import iso, json_answer
from backend.auth import Scope, requires
from backend.parsing import Limit, Taken, parsed
from backend.wiring import graph
from graph import quality_reports
from graph.domain.quality import Figure, Finding, Level, Report
from workers.intake.schema import KnownId, Time

bp = APIBlueprint("quality", __name__, abp_tags=[Tag(name="Quality")], abp_security=[{"key": []}])


class ReportsAsked(Taken):
    """Which report; without an id, the newest ones."""

    report_id: KnownId | None = None
    since: Time | None = None
    limit: Limit = 1


class FigureOut(BaseModel):
    """One number; empty text stands for all sources or types."""

    check: str
    source: str
    event_type: str
    detail: str = Field(description="field, reason or the like, where a check has several")
    value: float | None
    count: int | None = Field(description="rows that the number is about")
    total: int | None = Field(description="out of how many")


class FindingOut(FigureOut):
    """A figure beyond its threshold."""

    threshold: float
    level: Level = Field(description="`block`: no model is trained on this")
    owner: str


class ReportOut(BaseModel):
    """What was measured at one time, about rows received since `since`."""

    report_id: str
    as_of: str
    since: str
    blocks: bool
    findings: list[FindingOut]
    figures: list[FigureOut]
    cleaned: dict[str, int] = Field(description="edges that stand flagged, by what for")


class ReportsOut(BaseModel):
    """Reports, newest first."""

    items: list[ReportOut]


class ReportsAnswer(RootModel[ReportOut | ReportsOut]):
    """The report that was asked for; without an id, the newest ones."""


@bp.get("/v1/quality-reports", responses={200: ReportsAnswer})
@requires(Scope.ADMIN)
@parsed
def get_quality_reports(query: ReportsAsked) -> Response:
    """What the data is like: completeness, accuracy, latency and the rest, source by source."""
    if query.report_id is not None:
        return json_answer(_body(graph().read(quality_reports.get, query.report_id)))
    found = graph().read(quality_reports.history, since_ms=query.since or 0, limit=query.limit)
    return json_answer({"items": [_body(report) for report in found]})


def _body(report: Report) -> dict[str, Any]:
    return {
        "report_id": report.report_id,
        "as_of": iso(report.as_of_ms),
        "since": iso(report.begin_ms),
        "blocks": bool(report.blocks),
        "findings": [_finding(one) for one in report.findings],
        "figures": [_figure(one) for one in report.figures],
        "cleaned": report.cleaned,
    }


def _figure(one: Figure) -> dict[str, Any]:
    return {name: getattr(one, name) for name in FigureOut.model_fields}


def _finding(one: Finding) -> dict[str, Any]:
    judged = {"threshold": one.threshold, "level": one.level.value, "owner": one.owner}
    return _figure(one.figure) | judged

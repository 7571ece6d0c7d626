"""Reports on the quality of the data: kept as history, each true as of a moment."""

import json
from dataclasses import asdict
from typing import Any

from neo4j import ManagedTransaction

from graph.domain.quality import Figure, Finding, Level, Report
from graph.errors import UnknownReport


def store(tx: ManagedTransaction, report: Report, *, keep_after_ms: int) -> None:
    """
    Keep a report, and forget those from before a time.

    Args:
        keep_after_ms: older reports go.
    """
    tx.run(
        "MATCH (old:QualityReport) WHERE old.as_of_ms < $keep_after_ms DELETE old",
        keep_after_ms=keep_after_ms,
    ).consume()
    tx.run(
        """
        MERGE (r:QualityReport {report_id: $report_id})
        SET r.as_of_ms = $as_of_ms, r.begin_ms = $begin_ms, r.data_seq = $data_seq, r.body = $body
        """,
        report_id=report.report_id,
        as_of_ms=report.as_of_ms,
        begin_ms=report.begin_ms,
        data_seq=report.data_seq,
        body=_body(report),
    ).consume()


def latest(tx: ManagedTransaction) -> Report | None:
    """The newest report, or ``None`` where there is none."""
    found = history(tx, since_ms=0, limit=1)
    return found[0] if found else None


def history(tx: ManagedTransaction, *, since_ms: int, limit: int) -> list[Report]:
    """Reports as of a time or later, newest first."""
    rows = tx.run(
        """
        MATCH (r:QualityReport) WHERE r.as_of_ms >= $since_ms
        RETURN r ORDER BY r.as_of_ms DESC, r.report_id LIMIT $limit
        """,
        since_ms=since_ms,
        limit=limit,
    )
    return [_report(dict(row["r"])) for row in rows]


def get(tx: ManagedTransaction, report_id: str) -> Report:
    """
    A report by its id.

    Raises:
        UnknownReport: there is none.
    """
    row = tx.run("MATCH (r:QualityReport {report_id: $id}) RETURN r", id=report_id).single()
    if row is None:
        raise UnknownReport("no quality report has that id")
    return _report(dict(row["r"]))


def seq_at(tx: ManagedTransaction, at_ms: int) -> int:
    """
    A sequence number that nothing received at or after a moment has, as high as is known.

    What was in the graph when an earlier report was made had been received before.
    """
    row = tx.run(
        "MATCH (r:QualityReport) WHERE r.as_of_ms <= $at_ms RETURN max(r.data_seq) AS seq",
        at_ms=at_ms,
    ).single(strict=True)
    return int(row["seq"] or 0)


def _body(report: Report) -> str:
    told = {
        "figures": [asdict(one) for one in report.figures],
        "findings": [asdict(one) for one in report.findings],
        "cleaned": report.cleaned,
    }
    return json.dumps(told, ensure_ascii=False, allow_nan=False)


def _report(stored: dict[str, Any]) -> Report:
    body = json.loads(stored["body"])
    return Report(
        report_id=stored["report_id"],
        as_of_ms=stored["as_of_ms"],
        begin_ms=stored["begin_ms"],
        data_seq=stored["data_seq"],
        figures=[Figure(**one) for one in body["figures"]],
        findings=[_finding(one) for one in body["findings"]],
        cleaned=body["cleaned"],
    )


def _finding(told: dict[str, Any]) -> Finding:
    return Finding(
        figure=Figure(**told["figure"]),
        threshold=told["threshold"],
        level=Level(told["level"]),
        owner=told["owner"],
    )

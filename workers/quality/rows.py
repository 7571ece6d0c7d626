"""The rows behind a figure: events of the graph, or rows that the door put aside."""

from dataclasses import asdict
from typing import Any

import orjson

from graph import quality_rows
from graph.client import Graph
from graph.domain.quality import Window
from graph.quality_rows import FAILS
from workers.errors import NoRows
from workers.intake.deadletters import DeadLetters
from workers.intake.letters import DeadLetter
from workers.quality.checks import CHECKS

ASIDE: dict[str, frozenset[str] | None] = {
    "missing_pct": frozenset({"missing_field"}),
    "completeness_pct": frozenset({"missing_field"}),
    "unknown_event_type_pct": frozenset({"unknown_event_type"}),
    "invalid_pct": None,
    "schema_violations": None,
    "dead_letter_depth": None,
}
"""Checks that rows fail which were not taken: the reasons, or any."""


def failing_rows(
    graph: Graph, redis_url: str, check: str, window: Window, *, source: str | None, limit: int
) -> list[dict[str, Any]]:
    """
    Rows that fail a check, newest first; ids of people are pseudonyms or sealed.

    Raises:
        NoRows: there is no such check, or its figure has no rows of its own.
    """
    if check in FAILS:
        found = graph.read(quality_rows.failing, check, window, source=source, limit=limit)
        return [asdict(row) for row in found]
    if check not in ASIDE:
        known = ", ".join(sorted(FAILS.keys() | ASIDE.keys()))
        what = "is a number of a whole source" if check in CHECKS else "is no check"
        raise NoRows(f"{check} {what}; rows are told of {known}")
    reasons = ASIDE[check]
    letters = (
        letter
        for letter in DeadLetters(redis_url).every()
        if window.begin_ms <= letter.at_ms < window.end_ms
        and (reasons is None or letter.reason in reasons)
        and source in (None, _source(letter))
    )
    newest = list(letters)[-limit:][::-1]
    return [
        {
            "letter_id": one.letter_id,
            "source": _source(one),
            "reason": one.reason,
            "received_ts": one.at_ms,
            "payload": one.payload,
        }
        for one in newest
    ]


def _source(letter: DeadLetter) -> str:
    try:
        said = orjson.loads(letter.payload)
    except orjson.JSONDecodeError:
        return letter.source
    told = said.get("source") if isinstance(said, dict) else None
    return told if isinstance(told, str) else letter.source

"""The events behind a figure of the data's quality, newest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from neo4j import ManagedTransaction

from graph import identities
from graph.domain.quality import Window
from graph.edges import ALL_EDGES
from graph.quality import IN_WINDOW, IS_ORPHAN, KINDS, SEEN, SKEWED_MS, has_catalogue
from graph.refunds import DERIVED

_OFF = f"abs(coalesce(r.device_ts, r.ts) - r.ts) > {SKEWED_MS}"
_END = {edge.relationship: edge.key for edge in ALL_EDGES}

FAILS: dict[str, str] = {
    "duplicate_pct": "r.duplicate_of IS NOT NULL",
    "price_outlier_pct": "r.outlier IS NOT NULL",
    "orphan_pct": "orphan",
    "accuracy_pct": "(orphan OR r.outlier IS NOT NULL OR r.disagrees_on IS NOT NULL)",
    "late_pct": "'late' IN coalesce(r.flags, [])",
    "future_pct": "'future_clamped' IN coalesce(r.flags, [])",
    "bot_pct": "'bot' IN coalesce(r.flags, [])",
    "clock_skew_p95": _OFF,
    "skewed_device_pct": _OFF,
    "funnel_inversions": "never_seen",
}
"""Checks that stored events fail, and how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingRow:
    """
    An event that fails a check.

    Attributes:
        about: what it names: item, order, words.
        why: what stands beside the fact: the first telling, the broken rules, flags, clock.
    """

    event_id: str
    source: str
    event_type: str
    person: str
    about: str
    ts: int
    received_ts: int
    price_minor: int | None
    device_id: str | None
    why: str


def failing(
    tx: ManagedTransaction, check: str, window: Window, *, source: str | None, limit: int
) -> list[FailingRow]:
    """
    Events of a window that fail a check, newest first.

    Args:
        check: one of ``FAILS``.
        source: only those of one source.
    """
    catalogue = has_catalogue(tx)
    found: list[FailingRow] = []
    for kind in _kinds(check):
        rows = tx.run(
            _query(check, kind),
            **window._asdict(),
            derived=DERIVED,
            catalogue=catalogue,
            source=source,
            limit=limit,
        )
        found += [FailingRow(event_type=kind, **dict(row)) for row in rows]
    return sorted(found, key=lambda row: (-row.received_ts, row.event_id))[:limit]


def _kinds(check: str) -> Iterable[str]:
    if check in ("duplicate_pct", "funnel_inversions"):
        return ("purchase",)
    return KINDS


@lru_cache(maxsize=256)
def _query(check: str, kind: str) -> str:
    relationship = KINDS[kind]
    return f"""
        MATCH (me)-[r:{relationship}]->(end)
        WHERE {IN_WINDOW} AND ($source IS NULL OR r.source = $source)
        WITH me, r, end, {IS_ORPHAN[relationship]} AS orphan, {_never_seen(check)} AS never_seen
        WHERE {FAILS[check]}
        RETURN r.event_id AS event_id, r.source AS source, me.user_id AS person,
               toString(end.{_END[relationship]}) AS about, r.ts AS ts,
               r.received_ts AS received_ts, r.price_minor AS price_minor,
               r.device_id AS device_id,
               CASE WHEN orphan THEN 'unknown' WHEN r.duplicate_of IS NOT NULL
                         THEN 'told first as ' + r.duplicate_of
                    WHEN r.outlier IS NOT NULL
                         THEN reduce(t = '', one IN r.outlier | t + one + ' ')
                    ELSE reduce(t = '', one IN coalesce(r.flags, []) | t + one + ' ') END AS why
        ORDER BY r.received_ts DESC, r.seq DESC LIMIT $limit
    """


def _never_seen(check: str) -> str:
    if check != "funnel_inversions":
        return "false"
    return f"""r.duplicate_of IS NULL AND NOT EXISTS {{
            WITH me, r, end
            {identities.SAME_PERSON}
            MATCH (person)-[s:{SEEN}]->(end) WHERE s.ts <= r.ts }}"""

"""The checks: what each measures, when it is a finding, what follows and who sees to it."""

from dataclasses import dataclass

from graph.domain.quality import Level

WARN, BLOCK = Level.WARN, Level.BLOCK


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing that is measured.

    Attributes:
        meaning: what the number is, with its unit.
        threshold: from where on it is a finding; ``None``: it is only shown.
        is_floor: a finding is below the threshold, not above.
        level: what follows from a finding.
        owner: who sees to it.
    """

    meaning: str
    threshold: float | None = None
    level: Level = WARN
    owner: str = "data"
    is_floor: bool = False


CHECKS: dict[str, Check] = {
    "completeness_pct": Check(
        "required and expected fields that are filled, %", 95.0, BLOCK, is_floor=True
    ),
    "accuracy_pct": Check(
        "rows that are valid, name known items and orders, and agree across sources, %",
        98.0, BLOCK, is_floor=True,
    ),
    "latency_p95_seconds": Check("from receipt to a visible edge, s", 300.0, owner="operations"),
    "missing_pct": Check("rows without a required or expected field, %", 1.0, owner="tracking"),
    "duplicate_pct": Check("rows that tell what is known already, %", 2.0, owner="tracking"),
    "dup_per_device_max": Check("most repeats of one device", 100.0, owner="tracking"),
    "invalid_pct": Check("rows not taken for another reason than a missing field, %", 1.0,
                         owner="tracking"),
    "unknown_event_type_pct": Check("rows of a type that does not exist, %", 1.0, owner="tracking"),
    "price_outlier_pct": Check("prices that can hardly be true, %", 0.5, owner="catalogue"),
    "orphan_pct": Check("rows that name an unknown item or order, %", 2.0, owner="catalogue"),
    "log_vs_graph_diff": Check("accepted events that are not in the graph, %", 0.1, BLOCK,
                               owner="operations"),
    "funnel_inversions": Check("purchases of what the buyer never looked at, %", 50.0,
                               owner="tracking"),
    "freshness_seconds": Check("since the last row of a source, s", 43_200.0, owner="operations"),
    "event_lag_p95": Check("from event to receipt, s", 86_400.0, owner="tracking"),
    "late_pct": Check("rows more than 30 days old, %", 1.0, owner="tracking"),
    "future_pct": Check("rows ahead of their receipt, %", 1.0, owner="tracking"),
    "clock_skew_p95": Check("what clocks of devices were off, s", 3_600.0, owner="tracking"),
    "skewed_device_pct": Check("devices whose clock was off by more than an hour, %", 1.0,
                               owner="tracking"),
    "connector_gap_minutes": Check("since a connector last had everything, min", 120.0,
                                   owner="operations"),
    "row_count": Check("stored events"),
    "row_count_change_pct": Check("stored events against the days before, %, either way", 50.0,
                                  owner="operations"),
    "behaviour_mix": Check("share of a type in the events of its source, %"),
    "bot_pct": Check("events of programs, %", 50.0, owner="operations"),
    "dead_letter_depth": Check("dead letters that wait", 10_000.0, owner="operations"),
    "schema_violations": Check("rows that break the form of events"),
    "psi": Check("how far prices moved from the days before (population stability index)", 0.25,
                 owner="catalogue"),
    "js_divergence": Check("how far the mix of types moved from the days before, 0 to 1", 0.1,
                           owner="tracking"),
}  # fmt: skip
"""All checks, in the order of a report."""

EITHER_WAY = frozenset({"row_count_change_pct"})
"""Checks whose size counts, whatever the sign."""

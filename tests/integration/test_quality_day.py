"""A day of traffic with planted faults: each is found, named and counted, and nothing else is."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
import redis

from graph import quality_reports
from graph.client import Graph
from graph.domain.quality import Report
from tests.quality_day import DAY, NOON, Day, LivingShop
from workers.intake.deadletters import DEAD_LETTERS
from workers.quality.checks import CHECKS

KIND_OF = {"VIEWED": "view", "CARTED": "cart", "PURCHASED": "purchase"}


@pytest.fixture
def shop(graph: Graph, redis_url: str) -> LivingShop:
    """A shop that was well until yesterday noon."""
    one = LivingShop(graph, redis_url)
    one.live_through(Day(1), NOON - DAY)
    return one


def found(report: Report) -> set[tuple[str, str, str, str, int | None]]:
    """What was found, where and how often."""
    figures = [one.figure for one in report.findings]
    return {(f.check, f.source, f.event_type, f.detail, f.count) for f in figures}


def test_each_planted_fault_is_found_named_and_counted_and_nothing_else(
    shop: LivingShop, graph: Graph
) -> None:
    """Missing ids, orders told twice, wrong prices, a silent source, a clock three days ahead."""
    shop.live_through(Day(2, faults=True), NOON)
    report = shop.look()
    assert found(report) == {
        ("missing_pct", "web", "view", "item_id", 30),
        ("duplicate_pct", "taobao", "purchase", "across sources", 9),
        ("price_outlier_pct", "taobao", "purchase", "", 3),
        ("freshness_seconds", "app", "", "", None),
        ("skewed_device_pct", "web", "view", "", 1),
        ("skewed_device_pct", "web", "cart", "", 1),
        ("skewed_device_pct", "web", "purchase", "", 1),
    }
    assert report.cleaned == {
        "told_again": 9, "price_outliers": 3, "dwell_imputed": 0, "visitors_joined": 0
    }  # fmt: skip
    assert graph.read(quality_reports.latest) == report


def test_a_day_without_faults_gives_no_finding(shop: LivingShop) -> None:
    """Every figure is there, and none is beyond its threshold."""
    shop.live_through(Day(2), NOON)
    report = shop.look()
    assert report.findings == []
    assert {one.check for one in report.figures} >= {
        "completeness_pct", "accuracy_pct", "latency_p95_seconds", "row_count", "psi",
        "js_divergence", "row_count_change_pct", "log_vs_graph_diff", "funnel_inversions",
    }  # fmt: skip


def edges(graph: Graph) -> list[dict[str, Any]]:
    """All events of the last day as they are stored, asked for in the plainest way."""
    query = """
        MATCH (u)-[r]->(i:Item) WHERE r.received_ts >= $begin
        RETURN type(r) AS kind, u.user_id AS person, i.item_id AS item, properties(r) AS said
    """
    rows = graph.read(lambda tx: tx.run(query, begin=NOON - DAY).data())
    return [
        {"kind": KIND_OF[row["kind"]], "person": row["person"], "item": row["item"], **row["said"]}
        for row in rows
    ]


def percent(part: list[Any], whole: list[Any]) -> float:
    return 100 * len(part) / len(whole)


def p95(values: list[int]) -> float:
    return float(np.percentile(values, 95, method="inverted_cdf")) / 1_000


def counted_again(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str, str], float]:
    """The figures of stored events, by our own arithmetic."""
    again: dict[tuple[str, str, str, str], float] = {}
    for source, kind in {(row["source"], row["kind"]) for row in rows}:
        mine = [row for row in rows if (row["source"], row["kind"]) == (source, kind)]
        priced = [row for row in mine if "price_minor" in row]
        devices = {row["device_id"] for row in mine if "device_id" in row}
        off = [abs(row.get("device_ts", row["ts"]) - row["ts"]) for row in mine]
        wrong = {row["device_id"] for row, ms in zip(mine, off, strict=True) if ms > 3_600_000}
        told = {
            "row_count": len(mine),
            "behaviour_mix": percent(mine, [row for row in rows if row["source"] == source]),
            "event_lag_p95": p95([row["received_ts"] - row["ts"] for row in mine]),
            "clock_skew_p95": p95(off),
            "late_pct": percent([row for row in mine if "late" in row.get("flags", ())], mine),
            "bot_pct": percent([row for row in mine if "bot" in row.get("flags", ())], mine),
            "orphan_pct": 0.0,
        }
        if priced:
            told["price_outlier_pct"] = percent([r for r in priced if "outlier" in r], priced)
        if devices:
            told["skewed_device_pct"] = percent(list(wrong), list(devices))
        again |= {(name, source, kind, ""): value for name, value in told.items()}
    return again


def never_seen(rows: list[dict[str, Any]]) -> float:
    """Share of the tracker's purchases of what the buyer had not looked at."""
    looks = {(r["person"], r["item"], r["ts"]) for r in rows if r["kind"] in ("view", "cart")}
    bought = [r for r in rows if (r["source"], r["kind"]) == ("web", "purchase")]
    odd = [
        r for r in bought
        if not any(p == r["person"] and i == r["item"] and ts <= r["ts"] for p, i, ts in looks)
    ]  # fmt: skip
    return percent(odd, bought)


def test_every_figure_equals_the_direct_query(
    shop: LivingShop, graph: Graph, redis_url: str
) -> None:
    """What the report says of stored events and of refused rows is what a plain count says."""
    shop.live_through(Day(2, faults=True), NOON)
    report = shop.look()
    said = {(f.check, f.source, f.event_type, f.detail): f.value for f in report.figures}
    rows = edges(graph)
    for place, value in counted_again(rows).items():
        assert said[place] == pytest.approx(value), place
    twice = [row for row in rows if "duplicate_of" in row]
    trades = [row for row in rows if row["source"] == "taobao"]
    across = ("duplicate_pct", "taobao", "purchase", "across sources")
    assert said[across] == pytest.approx(percent(twice, trades))
    with redis.Redis.from_url(redis_url) as client:
        letters = [json.loads(fields[b"payload"]) for _, fields in client.xrange(DEAD_LETTERS)]
    views = [row for row in rows if (row["source"], row["kind"]) == ("web", "view")]
    assert said["missing_pct", "web", "view", "item_id"] == pytest.approx(
        100 * len(letters) / (len(views) + len(letters))
    )
    # Five fields are required of a view: id, type, time, person and item.
    assert said["completeness_pct", "web", "view", ""] == pytest.approx(
        100 - 100 * len(letters) / (5 * (len(views) + len(letters)))
    )
    outliers = [row for row in trades if "outlier" in row]
    assert said["accuracy_pct", "taobao", "purchase", ""] == pytest.approx(
        100 - percent(outliers, trades)
    )
    assert said["funnel_inversions", "web", "purchase", ""] == pytest.approx(never_seen(rows))
    newest = max(row["received_ts"] for row in rows if row["source"] == "web")
    assert said["freshness_seconds", "web", "", ""] == (NOON - newest) / 1_000
    assert said["dead_letter_depth", "", "", ""] == len(letters)
    assert said["latency_p95_seconds", "web", "view", ""] == 2.0
    assert {place[0] for place in said} <= CHECKS.keys()
    assert Counter(said.values())[None] == 0

"""Reports by hand and by the hour: the command, the job, the interface, the gauges, the gate."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from graph import models, quality_reports
from graph.client import Graph
from graph.domain.ids import ModelVersion
from graph.domain.models import Model, ModelStatus, RunState, Slot
from graph.domain.quality import Figure, Finding, Level, Report
from graph.settings import GraphSettings
from tests import shop
from tests.environments import process_environment
from tests.factories import ADMIN, SERVER
from tests.runs import trained
from workers.app import create_worker, load_jobs
from workers.jobs import DEFAULT_QUEUE, MEASURE
from workers.leases import now_ms
from workers.settings import JobSettings
from workers.wiring import Parts

DAY_MS = 86_400_000
Call = Callable[..., "subprocess.CompletedProcess[str]"]


def view(number: int, **changes: Any) -> dict[str, Any]:
    """A look of a moment ago; ``...`` takes a field away."""
    happened = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    row = {
        "event_id": f"e{number}",
        "event_type": "view",
        "user_id": f"u-{number}",
        "item_id": "SKU-1",
        "event_time": happened,
    }
    return {name: value for name, value in (row | changes).items() if value is not ...}


@pytest.fixture
def faulty(client: FlaskClient, drain: Callable[[], object]) -> None:
    """Ninety good rows and thirty without an item, in the graph and among the dead letters."""
    rows = [view(number) for number in range(90)]
    rows += [view(number, item_id=...) for number in range(90, 120)]
    answer = client.post("/v1/events", json=rows, headers=SERVER)
    assert (answer.json["accepted"], answer.json["rejected"]) == (90, 30)
    drain()


@pytest.fixture
def call(neo4j_settings: GraphSettings, redis_url: str, tmp_path: Path) -> Call:
    """Runs ``shopgraph quality`` in a shop that trains on nothing that lacks fields."""
    environment = process_environment(
        neo4j_settings,
        redis_url,
        SHOPGRAPH_HOME=str(tmp_path / "home"),
        SHOPGRAPH_QUALITY_LEVELS="missing_pct=block",
    )

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "workers.commands", "quality", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)

    return run


@pytest.mark.usefixtures("faulty")
def test_the_command_measures_shows_and_tells_the_rows(call: Call, tmp_path: Path) -> None:
    """A run that finds something that blocks ends with 1; the page loads nothing from elsewhere."""
    page = tmp_path / "quality.html"
    ran = call("run", "--json", "--html", str(page))
    assert ran.returncode == 1, ran.stderr
    report = json.loads(ran.stdout)
    assert [one["figure"]["detail"] for one in report["findings"]] == ["item_id"]
    shown = call("show", "--json")
    assert json.loads(shown.stdout) == report
    text = page.read_text(encoding="utf-8")
    assert "missing_pct of shop view item_id: 25 (30 of 120)" in text
    assert "<svg" in text
    assert re.findall(r'(?:src|href)="[^#]|@import|url\([^#]', text) == []
    rows = json.loads(call("rows", "missing_pct", "--json").stdout)
    assert len(rows) == 30
    assert not any("u-90" in one["payload"] for one in rows)
    past = call("history")
    assert "missing_pct" in past.stdout
    wrong = call("rows", "row_count")
    assert wrong.returncode == 1
    assert "Traceback" not in wrong.stderr
    assert "missing_pct" in wrong.stderr


def test_without_a_report_the_command_says_how_to_make_one(call: Call, graph: Graph) -> None:
    shown = call("show")
    assert shown.returncode == 1
    assert "shopgraph quality run" in shown.stderr


@pytest.mark.usefixtures("faulty")
def test_the_hourly_job_keeps_a_report_that_interface_and_gauges_show(
    graph: Graph, redis_url: str, client: FlaskClient, tmp_path: Path
) -> None:
    """One report by the workers' door, read by an admin key and by Prometheus."""
    settings = JobSettings(redis_url=redis_url, model_store=tmp_path)  # type: ignore[arg-type]
    worker = create_worker(redis_url, parts=Parts(graph=graph, settings=settings))
    load_jobs({DEFAULT_QUEUE})
    worker.tasks[MEASURE].apply(throw=True)
    kept = graph.read(quality_reports.latest)
    assert kept is not None
    answer = client.get("/v1/quality-reports", headers=ADMIN)
    (told,) = answer.json["items"]
    assert told["report_id"] == kept.report_id
    assert told["blocks"] is False
    assert [(one["check"], one["count"], one["level"]) for one in told["findings"]] == [
        ("missing_pct", 30, "warn")
    ]
    by_id = client.get(f"/v1/quality-reports?report_id={kept.report_id}", headers=ADMIN)
    assert by_id.json == told
    assert client.get("/v1/quality-reports?report_id=q-0", headers=ADMIN).status_code == 404
    assert client.get("/v1/quality-reports", headers=SERVER).status_code == 403
    gauges = client.get("/metrics").text
    place = 'check="missing_pct",detail="item_id",source="shop",type="view"'
    assert f"shopgraph_quality{{{place}}} 25.0" in gauges
    assert 'shopgraph_quality_findings{level="warn"} 1.0' in gauges


def blocking(as_of_ms: int, level: Level = Level.BLOCK) -> Report:
    """A report that found too many invalid rows."""
    figure = Figure(check="accuracy_pct", source="web", value=90.0, count=90, total=100)
    found = Finding(figure=figure, threshold=98.0, level=level, owner="data")
    return Report(
        report_id=f"q-{as_of_ms}",
        as_of_ms=as_of_ms,
        begin_ms=as_of_ms - DAY_MS,
        data_seq=0,
        figures=[figure],
        findings=[found],
    )


@pytest.fixture
def settings(tmp_path: Path) -> JobSettings:
    """A model store of the test's own."""
    return JobSettings(redis_url="redis://nowhere", model_store=tmp_path / "models")  # type: ignore[arg-type]


def test_a_report_that_blocks_stops_a_retrain_and_the_last_model_serves_on(
    graph: Graph, settings: JobSettings
) -> None:
    """The run fails before it learns, with the reason on its node."""
    shop.fill(graph, shop.checkerboard(people=4, days=20))
    live = Model(
        version=ModelVersion("m-1"), status=ModelStatus.CANDIDATE, slot=Slot.BLUE,
        profile="paper", as_of_ms=1, data_seq=1, created_at=1,
    )  # fmt: skip
    graph.write(models.create, live)
    graph.write(models.activate, live.version, now_ms=2)
    graph.write(quality_reports.store, blocking(now_ms()), keep_after_ms=0)
    run = trained(graph, settings)
    assert run.state is RunState.FAILED
    assert run.stage == "gate"
    assert run.error is not None
    assert "accuracy_pct of web: 90 (90 of 100), the threshold is 98" in run.error
    assert run.figures["cleaned"]["left_out"] == {"told_again": 0, "price_outliers": 0}
    assert "train_began_s" not in run.figures
    still = graph.read(models.live)
    assert still is not None
    assert still.version == live.version


@pytest.mark.parametrize("report", [
    blocking(now_ms() - 2 * DAY_MS), blocking(now_ms(), Level.WARN), None,
], ids=["old", "warning", "none"])  # fmt: skip
def test_what_does_not_block_lets_a_run_go_past_the_gate(
    graph: Graph, settings: JobSettings, report: Report | None
) -> None:
    """Here it ends for want of data, which is found later than what a report says."""
    shop.fill(graph, shop.checkerboard(people=1, days=10))
    if report is not None:
        graph.write(quality_reports.store, report, keep_after_ms=0)
    run = trained(graph, settings)
    assert run.state is RunState.FAILED
    assert "accuracy_pct" not in (run.error or "")


def test_old_reports_are_forgotten_and_new_ones_come_first(graph: Graph) -> None:
    """History is dated and bounded."""
    for day in range(3):
        graph.write(quality_reports.store, blocking(day * DAY_MS), keep_after_ms=0)
    graph.write(quality_reports.store, blocking(3 * DAY_MS), keep_after_ms=DAY_MS)
    kept = graph.read(quality_reports.history, since_ms=0, limit=10)
    assert [one.as_of_ms // DAY_MS for one in kept] == [3, 2, 1]

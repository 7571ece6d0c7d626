"""``shopgraph demo``: from nothing to a shopper's recommendations, on real data."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from graph import counts, items, models
from graph.client import Graph
from graph.domain.ids import ItemId
from graph.domain.models import Profile, TrainingRun
from graph.server.process import LEASH
from graph.settings import GraphSettings
from workers import logs
from workers.benchmarks.footprint import disk_mib, peak_memory_mib
from workers.commands import explore
from workers.commands.api import local_api
from workers.commands.coupon_targets import targets_table
from workers.commands.imports import complete_journey
from workers.commands.migrate import apply
from workers.commands.output import console, table
from workers.commands.recommend import answer_table
from workers.commands.services import jar_progress
from workers.commands.train import print_run, watch
from workers.errors import ApiUnavailable, NoTrainingWorker
from workers.jobs import Jobs
from workers.local import (
    Ports,
    Starting,
    environment,
    home,
    local_status,
    start_local,
    stop_local,
)
from workers.local.services import refuse_taken_port
from workers.runs import request
from workers.settings import JobSettings

HOUSEHOLD = "1609"
"""A household of the data set with purchases in every month."""

CAMPAIGN = "18"
"""The campaign of the data set that reached the most households."""

READY_WITHIN_S = 120.0


@dataclass(slots=True)
class Times:
    """How long each step took, in seconds, in order."""

    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, said: str) -> Iterator[None]:
        """Say what begins, and measure it."""
        console.print(f"[bold]{said}[/bold]")
        began = time.monotonic()
        yield
        self.steps[name] = time.monotonic() - began


@click.command()
@click.option("--once", is_flag=True, help="End when everything was shown, and stop all.")
@click.option("--household", default=HOUSEHOLD, show_default=True, help="Whom to recommend to.")
@click.option("--campaign", default=CAMPAIGN, show_default=True, help="Whose coupons to give.")
def demo(once: bool, household: str, campaign: str) -> None:
    """Everything from nothing: services, real data, training, answers; then serve until Ctrl-C."""
    logs.configure(level="WARNING")
    _heed_sigterm()
    times = Times()
    folder = home()
    with _services(folder, times):
        os.environ.update(environment(folder))
        graph = Graph(GraphSettings())
        try:
            with times.step("schema", "Constraints and indexes"):
                apply(graph)
            with _processes(folder, times) as processes:
                _fill_and_train(graph, times)
                _show(graph, household, campaign, times)
                if not once:
                    _serve(processes)
        finally:
            graph.close()


def _fill_and_train(graph: Graph, times: Times) -> None:
    with times.step("import", "Real data: the Complete Journey, 1,469,307 transactions"):
        click.get_current_context().invoke(complete_journey)
    with times.step("training", "Training the paper's model and its contenders on the graph"):
        run = train(graph)
    print_run(run)


def train(graph: Graph) -> TrainingRun:
    """Have the training worker train, and follow it."""
    jobs = Jobs(JobSettings().broker_url)
    deadline = time.monotonic() + READY_WITHIN_S
    while not jobs.trainers():
        if time.monotonic() > deadline:
            raise NoTrainingWorker("the training worker did not come up; its log says why")
        time.sleep(1.0)
    run, _ = request(graph, jobs, profile=Profile.FUSION, options={})
    return watch(graph, run)


def _show(graph: Graph, household: str, campaign: str, times: Times) -> None:
    with times.step("answers", "What the graph holds, and what the model answers"):
        _wait_for_model(graph)
        _print_counts(graph)
        api = local_api()
        shown = api.get("/v1/recommendations", user_id=household, limit=10)
        title = f"Ten recommendations for household {household}"
        console.print(answer_table(shown, title, titles=_titles(graph, shown)))
        targets = api.get("/v1/coupon-targets", campaign_id=campaign, limit=10)
        console.print(targets_table(targets, f"Coupon targets of campaign {campaign}"))
    _print_addresses()
    _print_footprint()
    rows = [*times.steps.items(), ("all", sum(times.steps.values()))]
    console.print(table("Time per step", ("step", "seconds"), [(n, f"{s:.1f}") for n, s in rows]))


def _titles(graph: Graph, answer: dict[str, Any]) -> dict[str, str]:
    found = graph.read(items.details, [ItemId(row["item_id"]) for row in answer["items"]])
    return {item_id: item.title or "" for item_id, item in found.items()}


def _print_footprint() -> None:
    rows = [(f"memory of {name}, peak", round(mib)) for name, mib in peak_memory_mib().items()]
    rows += [(f"disk of {name}/", round(mib)) for name, mib in disk_mib(home()).items()]
    console.print(table("Memory and disk", ("what", "MiB"), rows))


def _wait_for_model(graph: Graph) -> None:
    """The API looks for a new model every two seconds."""
    live = graph.read(models.live)
    deadline = time.monotonic() + 30.0
    while live is not None and time.monotonic() < deadline:
        checks: dict[str, Any] = local_api().readiness().get("checks", {})
        if checks.get("model", {}).get("detail") == live.version:
            return
        time.sleep(0.5)


def _print_counts(graph: Graph) -> None:
    found = graph.read(counts.counts)
    for title, numbers in (("Nodes", found.nodes), ("Relationships", found.relationships)):
        rows = [(name, n) for name, n in sorted(numbers.items(), key=lambda pair: -pair[1]) if n]
        console.print(table(f"{title} in Neo4j", ("kind", "count"), rows))


def _print_addresses() -> None:
    api = local_api()
    console.print(f"API:            {api.url}   (reference: {api.url}/docs)", soft_wrap=True)
    for line in explore.sentences(explore.addresses()):
        console.print(line, soft_wrap=True)


@contextmanager
def _services(folder: Path, times: Times) -> Iterator[None]:
    running = local_status(folder)
    if running is not None and running.alive == running.services:
        console.print("Neo4j and Valkey run already; they stay when the demo ends.")
        yield
        return
    with times.step("services", "Neo4j and Valkey"), jar_progress() as report:
        how = Starting(started_by="shopgraph demo", ends_with_parent=True, report=report)
        start_local(folder, Ports(), how)
    try:
        yield
    finally:
        stop_local(folder)


@contextmanager
def _processes(folder: Path, times: Times) -> Iterator["subprocess.Popen[bytes]"]:
    """``shopgraph up`` beside us; it ends with the block, and also when we die without a word."""
    refuse_taken_port("the API", Ports().api_port, "SHOPGRAPH_API_PORT")
    log_file = folder / "logs" / "demo.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    leash = [sys.executable, "-I", "-S", str(LEASH), "watch", str(os.getpid())]
    own = [sys.executable, "-m", "workers.commands", "up"]
    with log_file.open("ab") as log:
        # In a group of its own: Ctrl-C comes to us, and we tell them in order.
        process = subprocess.Popen(
            [*leash, *own], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        with times.step("processes", f"API, ingest, workers, scheduler (log: {log_file})"):
            _wait_until_ready(process, log_file)
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    # The leash heeds no SIGTERM: it goes when the command that it watches is gone.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", log_file: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not local_api().readiness().get("ready"):
        if process.poll() is not None:
            raise ApiUnavailable(f"the processes ended by themselves; {log_file} says why")
        if time.monotonic() > deadline:
            raise ApiUnavailable(f"the API was not ready after {READY_WITHIN_S:.0f} s")
        time.sleep(0.3)


def _serve(processes: "subprocess.Popen[bytes]") -> None:
    console.print("[bold]Serving until Ctrl-C.[/bold]")
    try:
        code = processes.wait()
    except KeyboardInterrupt:
        console.print("Stopping.")
        return
    raise ApiUnavailable(f"the processes ended by themselves with exit code {code}")


def _heed_sigterm() -> None:
    # The default would end us on the spot, without a word to what we started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))

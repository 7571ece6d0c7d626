"""Real Celery workers on a real broker: prefork, killed, and handed the same job twice."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graph import models, training_runs
from graph.client import Graph
from graph.domain.models import ModelStatus, TrainingRun
from graph.settings import GraphSettings
from tests import shop
from tests.environments import process_environment
from tests.runs import stored_vectors
from workers.commands.train import WORKER
from workers.jobs import Jobs
from workers.runs import follow, request

LONG = {**shop.SMALL, "max_epochs": 30, "patience": 30}
"""The small shop, trained for some seconds."""

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(neo4j_settings: GraphSettings, redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Starts training workers; those that are left are killed in the end."""
    started: list[subprocess.Popen[bytes]] = []
    environment = process_environment(
        neo4j_settings,
        redis_url,
        SHOPGRAPH_MODEL_STORE=str(tmp_path / "models"),
        SHOPGRAPH_LEASE_TTL_S="3",
    )

    def run(name: str, **changes: str) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"{name}.log").open("wb")
        with log:
            worker = subprocess.Popen(
                [sys.executable, "-m", *WORKER, "--hostname", f"{name}@test"],
                env={**environment, **changes},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(worker)
        return worker

    yield run
    for worker in started:
        kill(worker)


def kill(worker: "subprocess.Popen[bytes]") -> None:
    """End a worker and its pool on the spot, as a power cut would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def reached(graph: Graph, run: TrainingRun, stage: str, *, within_s: float = 90.0) -> None:
    """Wait until a run has begun a stage, which may be over by then."""
    deadline = time.monotonic() + within_s
    while f"{stage}_began_s" not in graph.read(training_runs.get, run.run_id).figures:
        assert time.monotonic() < deadline, f"the run did not come to {stage}"
        time.sleep(0.01)


def ended(graph: Graph, run: TrainingRun, *, within_s: float = 120.0) -> TrainingRun:
    """The run once it has ended well."""
    deadline = time.monotonic() + within_s

    def check() -> None:
        assert time.monotonic() < deadline, "the run did not end"

    return follow(graph, run.run_id, tell=lambda _: None, check=check)


def test_f3_a_prefork_worker_trains_with_torch(graph: Graph, redis_url: str, start: Start) -> None:
    """Torch is imported before the fork and used after it; the run ends with a model."""
    shop.fill(graph, shop.checkerboard())
    start("one")
    run, is_new = request(graph, Jobs(redis_url), profile="paper", options=shop.SMALL)
    assert is_new
    done = ended(graph, run)
    live = graph.read(models.live)
    assert live is not None
    assert done.model_version == live.version
    assert Jobs(redis_url).trainers(timeout_s=3.0) == ["one@test"]


@pytest.mark.parametrize("stage", ["fit", "export"])
def test_f4_a_run_whose_worker_was_killed_is_finished_by_the_next_one(
    graph: Graph, redis_url: str, start: Start, stage: str
) -> None:
    """
    Killed in any stage, or just after it where it is short; nothing half written is ever visible.

    The broker would give the job back after hours; the next worker asks for it at its start.
    """
    shop.fill(graph, shop.checkerboard())
    first = start("one")
    run, _ = request(graph, Jobs(redis_url), profile="paper", options=LONG)
    reached(graph, run, stage)
    kill(first)
    start("two")
    done = ended(graph, run)
    live = graph.read(models.live)
    assert live is not None
    assert done.model_version == live.version
    made = [one.status for one in graph.read(models.all_models)]
    assert made.count(ModelStatus.LIVE) == 1
    assert set(made) <= {ModelStatus.LIVE, ModelStatus.FAILED}
    assert len(graph.read(stored_vectors, live.slot)) == 30


def test_f1_a_job_that_is_handed_out_twice_makes_one_model(
    graph: Graph, redis_url: str, start: Start
) -> None:
    """A visibility timeout far shorter than the run, and two workers: one effective run."""
    shop.fill(graph, shop.checkerboard())
    for name in ("one", "two"):
        start(name, SHOPGRAPH_VISIBILITY_TIMEOUT_S="2")
    run, _ = request(graph, Jobs(redis_url), profile="paper", options=LONG)
    Jobs(redis_url).train(run.run_id, run.options)
    done = ended(graph, run)
    # Copies of the job may still be on their way; none of them may do anything.
    time.sleep(5.0)
    made = [one for one in graph.read(models.all_models) if one.status is not ModelStatus.FAILED]
    assert [one.version for one in made] == [done.model_version]
    assert done.figures["attempts"] == 1

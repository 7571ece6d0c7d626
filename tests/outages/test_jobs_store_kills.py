"""Neo4j and Valkey killed under a training worker: the run ends well, and nothing is half done."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from graph import migrations, models, training_runs
from graph.client import Graph
from graph.domain.models import ModelStatus, RunState, TrainingRun
from graph.errors import GraphUnavailable
from graph.settings import GraphSettings
from tests import shop
from tests.runs import stored_vectors
from workers.jobs import Jobs
from workers.local import Ports, Starting, environment, start_local, stop_local
from workers.local.children import ending
from workers.local.supervisor import PROCESSES, child_environment
from workers.runs import request

LONG = {**shop.SMALL, "max_epochs": 30, "patience": 30}


@dataclass
class Place:
    """Servers of the test's own, with a training worker on them."""

    home: Path
    ports: Ports
    how: Starting
    graph: Graph
    redis_url: str
    pids: dict[str, int]

    def kill(self, service: str) -> None:
        """End a server on the spot, the other one in good order, and start both again."""
        os.kill(self.pids[service], signal.SIGKILL)
        time.sleep(1)
        stop_local(self.home)
        state = start_local(self.home, self.ports, self.how)
        self.pids |= {name: one.running.pid for name, one in state.alive.items()}


@pytest.fixture
def place(local_home: Path) -> Iterator[Place]:
    """A small shop in a graph of its own, and a worker that may train on it."""
    ports = Ports.free()
    how = Starting(started_by="a test", ends_with_parent=True, for_tests=True)
    state = start_local(local_home, ports, how)
    pids = {name: service.running.pid for name, service in state.alive.items()}
    env = environment(local_home)
    graph = Graph(GraphSettings(uri=env["NEO4J_URI"]))
    migrations.apply(graph, owner="test", now_ms=1)
    shop.fill(graph, shop.checkerboard())
    children = child_environment(env, home=local_home, api_port=ports.api_port)
    children["SHOPGRAPH_LEASE_TTL_S"] = "3"
    with (local_home / "training.log").open("wb") as log:
        worker = subprocess.Popen(
            PROCESSES["training"], env=children, stdout=log, stderr=subprocess.STDOUT
        )
        with ending(worker):
            yield Place(local_home, ports, how, graph, env["REDIS_URL"], pids)
    graph.close()
    stop_local(local_home)


def patiently(graph: Graph, run: TrainingRun, holds: Callable[[TrainingRun], bool]) -> TrainingRun:
    """The run once something holds for it; a graph that is away is asked again."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            found = graph.read(training_runs.get, run.run_id)
            if holds(found):
                return found
        except GraphUnavailable:
            pass
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def test_f4_stores_that_are_killed_during_a_run_do_not_end_it(place: Place) -> None:
    """Valkey while it learns, Neo4j while it writes: one model is live, with all its vectors."""
    run, _ = request(place.graph, Jobs(place.redis_url), profile="paper", options=LONG)
    for service, stage in (("Valkey", "fit"), ("Neo4j", "export")):
        begun = f"{stage}_began_s"
        patiently(place.graph, run, lambda now, begun=begun: begun in now.figures)
        place.kill(service)
    done = patiently(
        place.graph, run, lambda now: now.state in (RunState.FINISHED, RunState.FAILED)
    )
    assert done.state is RunState.FINISHED, done.error
    live = place.graph.read(models.live)
    assert live is not None
    assert live.version == done.model_version
    made = [one.status for one in place.graph.read(models.all_models)]
    assert set(made) <= {ModelStatus.LIVE, ModelStatus.FAILED}
    assert len(place.graph.read(stored_vectors, live.slot)) == 30

"""A driver that was opened before the fork: every pool process opens its own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from celery import Celery
from neo4j import ManagedTransaction

from graph.client import Graph
from graph.settings import GraphSettings
from tests.environments import process_environment
from workers.local.children import ending

TASKS = 1_000
POOL = 4
PROBE = """
import os

from graph.client import Graph
from graph.settings import GraphSettings
from workers.app import create_worker
from workers.settings import JobSettings
from workers.wiring import Parts, parts

graph = Graph(GraphSettings())
graph.ping()  # the parent's driver is open from here on
app = create_worker(os.environ["REDIS_URL"], parts=Parts(graph, JobSettings()))


@app.task(name="probe.note", bind=True)
def note(self, number):
    parts(self.app).graph.write(_note, number, os.getpid(), os.getppid())


def _note(tx, number, pid, parent):
    query = "CREATE (:Probe {number: $number, pid: $pid, parent: $parent})"
    tx.run(query, number=number, pid=pid, parent=parent).consume()
"""


def test_d4_a_thousand_tasks_of_four_children_of_a_parent_with_an_open_driver(
    graph: Graph, neo4j_settings: GraphSettings, redis_url: str, tmp_path: Path
) -> None:
    """Each task is done, none twice, and none by the process that opened the first driver."""
    (tmp_path / "probe.py").write_text(PROBE)
    looking = Graph(neo4j_settings)  # one that does not mind names that nobody has used yet
    broker = Celery("asking", broker=redis_url, set_as_current=False)
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "probe", "worker", "-Q", "default"),
                *("--pool", "prefork", "--concurrency", str(POOL)),
            ],
            cwd=tmp_path,
            env=environment(neo4j_settings, redis_url, tmp_path),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    with ending(worker):
        for number in range(TASKS):
            broker.send_task("probe.note", args=[number], queue="default")
        deadline = time.monotonic() + 180
        while (done := looking.read(probes))["tasks"] < TASKS:
            assert worker.poll() is None
            assert time.monotonic() < deadline, done
            time.sleep(0.2)
    looking.close()
    assert (done["tasks"], done["numbers"], done["parents"]) == (TASKS, TASKS, [worker.pid])
    assert len(done["pids"]) >= POOL
    assert worker.pid not in done["pids"]


def test_a_forked_child_leaves_the_driver_of_its_parent_alone(graph: Graph) -> None:
    """It asks on a driver of its own, and the parent goes on with the one it had."""
    graph.ping()
    child = os.fork()
    if child == 0:
        try:
            graph.ping()
            graph.close()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    graph.ping()


def environment(settings: GraphSettings, redis_url: str, folder: Path) -> dict[str, str]:
    """What a worker needs to know."""
    path = os.pathsep.join((str(folder), str(Path(__file__).parents[2])))
    store = str(folder / "models")
    return process_environment(settings, redis_url, SHOPGRAPH_MODEL_STORE=store, PYTHONPATH=path)


def probes(tx: ManagedTransaction) -> dict[str, Any]:
    """What the tasks have left."""
    record = tx.run(
        """
        MATCH (p) WHERE p.number IS NOT NULL
        RETURN count(p) AS tasks, count(DISTINCT p.number) AS numbers,
               collect(DISTINCT p.pid) AS pids, collect(DISTINCT p.parent) AS parents
        """
    ).single(strict=True)
    return dict(record)

"""The queue's two ends: asking for a job, and the application that works on it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from celery import Celery

from graph.client import Graph
from graph.settings import GraphSettings
from workers.app import create_worker, load_jobs
from workers.errors import JobsUnavailable, TrainExtraMissing
from workers.jobs import REFRESH, ROUTES, TRAIN, TRAINING_QUEUE, Jobs
from workers.settings import JobSettings
from workers.wiring import Parts, Worker, parts

AWAY = "redis://127.0.0.1:1/0"


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """A worker application that talks to nobody."""
    settings = JobSettings(redis_url=AWAY, model_store=tmp_path, visibility_timeout_s=77)  # type: ignore[arg-type]
    graph = Graph(GraphSettings(uri="bolt://127.0.0.1:1"))
    return create_worker(AWAY, parts=Parts(graph=graph, settings=settings))


def test_a_job_is_given_back_when_its_worker_dies(worker: Worker) -> None:
    """Late acknowledgement, one job at a time, JSON alone."""
    conf = worker.conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.accept_content == ["json"]
    assert conf.broker_transport_options == {"visibility_timeout": 77}


def test_jobs_find_their_parts_in_their_own_application(worker: Worker) -> None:
    """And say so where they were started by another one."""
    assert parts(worker) is worker.parts
    with pytest.raises(TypeError):
        parts(Celery("another", set_as_current=False))


def test_jobs_that_need_torch_go_to_the_training_queue() -> None:
    """The other workers start without it."""
    assert {ROUTES[name]["queue"] for name in (TRAIN, REFRESH)} == {TRAINING_QUEUE}


def test_a_worker_of_the_default_queue_starts_without_torch() -> None:
    """Not even where it is installed is it imported there."""
    script = (
        "import sys; from workers.app import load_jobs; load_jobs({'default'});"
        "print([name for name in ('torch', 'gensim', 'ml.training') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


def test_f3_a_training_worker_without_torch_refuses_and_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job that nobody there can do must not wait in that worker's hands."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrainExtraMissing, match=r"shopgraph\[train\]"):
        load_jobs({TRAINING_QUEUE})
    load_jobs({"default"})


def test_with_the_broker_away_asking_fails_soon_and_by_name() -> None:
    """The caller hears that nothing was enqueued; the address with its password is not said."""
    jobs = Jobs("redis://:geheim@127.0.0.1:1/0")
    train, pull = lambda: jobs.train("t-1"), lambda: jobs.pull("taobao")
    for ask in (train, pull, jobs.refresh, jobs.measure, jobs.retention, jobs.ping, jobs.trainers):
        with pytest.raises(JobsUnavailable) as said:
            ask()
        assert "geheim" not in str(said.value)


def test_the_front_door_imports_no_job() -> None:
    """The API may ask for a job without seeing its code."""
    script = (
        "import sys, workers.jobs;"
        "print([name for name in ('neo4j', 'torch', 'numpy', 'ml', 'workers.training')"
        " if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr

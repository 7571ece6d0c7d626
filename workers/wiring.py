"""Hands the wired parts to the jobs."""

from dataclasses import dataclass

from celery import Celery

from graph.client import Graph
from workers.settings import JobSettings


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What jobs work with.

    The graph opens its driver on first use, so each pool process gets its own after the fork.
    """

    graph: Graph
    settings: JobSettings


class Worker(Celery):
    """A Celery application that carries its parts."""

    parts: Parts


def parts(app: Celery) -> Parts:
    """The parts of the application that runs a job."""
    if not isinstance(app, Worker):
        raise TypeError("this job was started outside of the worker application")
    return app.parts

"""The workers' door: ``celery -A workers.main:app worker -Q default``."""

from graph.client import Graph
from workers import logs
from workers.app import create_worker
from workers.settings import WorkerSettings
from workers.wiring import Parts

settings = WorkerSettings.read()
logs.configure()
app = create_worker(
    settings.jobs.broker_url, parts=Parts(graph=Graph(settings.graph), settings=settings.jobs)
)

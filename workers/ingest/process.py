"""The ingest process: settings from the environment, signals, and an eye on the parent."""

import os
import signal
import threading
import time
from types import FrameType

from graph import migrations
from graph.client import Graph
from graph.errors import GraphUnavailable
from graph.settings import GraphSettings
from workers.ingest.consumer import Consumer
from workers.ingest.settings import IngestSettings
from workers.intake.settings import StreamSettings


def run(*, redis_url: str, parent_pid: int | None = None) -> None:
    """
    Work until SIGTERM or SIGINT.

    Args:
        parent_pid: end, too, when this process is no longer the parent.
    """
    graph = Graph(GraphSettings())
    keeping = StreamSettings(redis_url=redis_url).keeping()
    consumer = Consumer(graph, redis_url, IngestSettings(), keeping=keeping)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        consumer.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if parent_pid is not None:
        threading.Thread(target=_end_with, args=(parent_pid, consumer), daemon=True).start()
    try:
        _verify(graph, consumer)
        consumer.run()
    finally:
        graph.close()


def _verify(graph: Graph, consumer: Consumer) -> None:
    """Wait for the graph; raises ``SchemaMissing`` when it has no constraints."""
    while not consumer.is_stopping:
        try:
            migrations.verify(graph)
        except GraphUnavailable:
            time.sleep(0.5)
        else:
            return


def _end_with(parent_pid: int, consumer: Consumer) -> None:
    waiting = threading.Event()
    while os.getppid() == parent_pid:
        waiting.wait(1.0)
    consumer.stop()

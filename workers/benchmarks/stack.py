"""A whole installation of its own for a measurement: servers, processes, an empty graph."""

import base64
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from graph import migrations
from graph.client import Graph
from graph.settings import GraphSettings
from workers.benchmarks.load import Target
from workers.intake.pseudonyms import Pseudonyms
from workers.local import Ports, Starting, environment, start_local, stop_local
from workers.local.children import ending
from workers.local.errors import ServiceFailed
from workers.local.secrets import load_secrets
from workers.local.supervisor import PROCESSES, child_environment

log = structlog.get_logger(__name__)

READY_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs for the measurement, and how to reach it."""

    graph: Graph
    redis_url: str
    target: Target
    home: Path
    pseudonyms: Pseudonyms
    children: Mapping[str, str] = field(default_factory=dict, repr=False)

    @contextmanager
    def running(self, name: str, **settings: str) -> Iterator[None]:
        """
        Run one more process for as long as the block lasts.

        Args:
            name: key of ``PROCESSES``.
            settings: of its environment, in place of those of the others.
        """
        with _child(PROCESSES[name], {**self.children, **settings}, self.home / f"{name}.log"):
            yield


@contextmanager
def running_stack(names: Sequence[str]) -> Iterator[Stack]:
    """
    Start Neo4j, Valkey and the named processes in a folder of their own; end them afterwards.

    Args:
        names: keys of ``PROCESSES``.
    """
    with ExitStack() as cleanup:
        folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="shopgraph-benchmark-"))
        home, ports = Path(folder), Ports.free()
        cleanup.enter_context(logs_kept(home))
        how = Starting(started_by="shopgraph benchmark", ends_with_parent=True, for_tests=True)
        start_local(home, ports, how)
        cleanup.callback(stop_local, home)
        found = os.environ | environment(home)
        graph = Graph(GraphSettings(uri=found["NEO4J_URI"]))
        cleanup.callback(graph.close)
        migrations.apply(graph, owner="benchmark", now_ms=int(time.time() * 1000))
        children = child_environment(environment(home), home=home, api_port=ports.api_port)
        for name in names:
            cleanup.enter_context(_child(PROCESSES[name], children, home / f"{name}.log"))
        if "api" in names:
            _wait_until_ready(ports.api_port)
        target = Target("127.0.0.1", ports.api_port, load_secrets(home).server_key)
        keys = load_secrets(home)
        pseudonyms = Pseudonyms(
            base64.b64decode(keys.pseudonym_key), base64.b64decode(keys.encryption_key)
        )
        yield Stack(graph, found["REDIS_URL"], target, home, pseudonyms, children)


@contextmanager
def logs_kept(home: Path) -> Iterator[None]:
    """Put the logs aside before the folder goes, if the measurement fails."""
    try:
        yield
    except Exception:
        kept = Path(tempfile.mkdtemp(prefix="shopgraph-failed-benchmark-"))
        for written in home.rglob("*.log"):
            shutil.copy(written, kept / "-".join(written.relative_to(home).parts))
        log.warning("benchmark_failed", logs=str(kept))
        raise


@contextmanager
def _child(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("ab") as out:
        child = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
        with ending(child):
            yield


def _wait_until_ready(port: int) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise ServiceFailed(f"the API did not answer within {READY_WITHIN_S:.0f} s")

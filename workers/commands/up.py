"""`shopgraph up`: every process on one machine, in the foreground."""

import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from graph import migrations
from graph.client import Graph
from graph.errors import GraphError
from graph.settings import GraphSettings
from workers import logs
from workers.commands.services import addresses, expected_errors, jar_progress
from workers.local import (
    LocalState,
    Ports,
    Starting,
    environment,
    home,
    local_status,
    start_local,
    stop_local,
)
from workers.local.holder import hold
from workers.local.services import refuse_taken_port
from workers.local.supervisor import PROCESSES, Ended, child_environment, run

COMMAND = "shopgraph up"
READY_WITHIN_S = 180.0


@click.command()
def up() -> None:
    """Run Neo4j, Valkey, the API, ingest, workers and scheduler until Ctrl-C."""
    logs.configure(level="WARNING")
    _heed_sigterm()
    with expected_errors():
        ended = run_all(home(), Ports())
    if ended.first is not None:
        raise click.ClickException(
            f"{ended.first} ended by itself (exit code {ended.exit_code}); stopped the others"
        )


def run_all(folder: Path, ports: Ports) -> Ended:
    """
    Start what is missing, run all processes, and end what was started.

    Raises:
        LocalError: something expected stands in the way.
    """
    with hold(folder, command=COMMAND):
        refuse_taken_port("the API", ports.api_port, "SHOPGRAPH_API_PORT")
        with _services(folder, ports) as state:
            additions = environment(folder)
            os.environ.update(additions)
            _migrate()
            return run(
                PROCESSES,
                child_environment(additions, home=folder, api_port=ports.api_port),
                when_started=lambda: _announce(state, folder, ports.api_port),
            )


@contextmanager
def _services(folder: Path, ports: Ports) -> Iterator[LocalState]:
    running = local_status(folder)
    if running is not None and running.alive == running.services:
        # Somebody keeps them in the background; they stay when we go.
        yield running
        return
    with jar_progress() as report:
        how = Starting(started_by=COMMAND, ends_with_parent=True, report=report)
        state = start_local(folder, ports, how)
    try:
        yield state
    finally:
        stop_local(folder)


def _migrate() -> None:
    graph = Graph(GraphSettings())
    owner = f"{COMMAND} on {socket.gethostname()}, process {os.getpid()}"
    try:
        migrations.apply(graph, owner=owner, now_ms=int(time.time() * 1000))
    except GraphError as error:
        raise click.ClickException(f"the migrations failed: {error}") from error
    finally:
        graph.close()


def _announce(state: LocalState, folder: Path, api_port: int) -> None:
    root = f"http://127.0.0.1:{api_port}"
    deadline = time.monotonic() + READY_WITHIN_S
    while not _is_ready(f"{root}/readyz"):
        if time.monotonic() > deadline:
            click.echo(f"Not ready after {READY_WITHIN_S:.0f} s; {root}/readyz tells why.")
            return
        time.sleep(0.5)
    lines = {"API": root, "API reference": f"{root}/docs", **addresses(state, folder)}
    click.echo("Shopgraph is ready; Ctrl-C ends it.")
    for name, address in lines.items():
        click.echo(f"  {name:<14} {address}")


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _heed_sigterm() -> None:
    # The default would end us on the spot, without a word to what we started.
    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)

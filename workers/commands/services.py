"""`shopgraph services`: Neo4j and Valkey in the background."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from graph.server.provision import Report
from workers import logs
from workers.local import Ports, Starting, home, local_status, start_local, stop_local
from workers.local.errors import FolderHeld, LocalError
from workers.local.holder import holder
from workers.local.state import LocalState


@click.group()
def services() -> None:
    """Start, stop and look at Neo4j and Valkey of this machine."""
    logs.configure(level="WARNING")


@services.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def start(as_json: bool) -> None:
    """Start them in the background and wait until they answer."""
    with expected_errors(), jar_progress() as report:
        state = start_local(home(), Ports(), Starting(report=report))
    _print(state, as_json=as_json)


@services.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stop(as_json: bool) -> None:
    """End them and wait until they have ended."""
    folder = home()
    with expected_errors():
        who = holder(folder)
        if who is not None:
            raise FolderHeld(f"{folder} is in use by {who}; end that one, with Ctrl-C or SIGTERM")
        ended = stop_local(folder)
    if as_json:
        click.echo(json.dumps({"stopped": ended}))
    elif not ended:
        click.echo(f"Nothing runs for {folder}.")
    for name, is_clean in ended.items():
        if not as_json:
            click.echo(f"{name} {'stopped' if is_clean else 'did not stop and was killed'}.")


@services.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Say what runs; exit code 1 if something is missing."""
    with expected_errors():
        state = local_status(home())
    if state is None and not as_json:
        click.echo(f"Nothing runs for {home()}.")
    else:
        _print(state, as_json=as_json)
    if state is None or len(state.alive) < len(state.services):
        sys.exit(1)


@contextmanager
def expected_errors() -> Iterator[None]:
    """Turn what may well happen into one sentence and exit code 1."""
    try:
        yield
    except LocalError as error:
        raise click.ClickException(str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = f"SHOPGRAPH_{'_'.join(str(part) for part in first['loc']).upper()}"
        raise click.ClickException(f"{name}: {first['msg']}") from error


@contextmanager
def jar_progress() -> Iterator[Report]:
    """Show how far the download of the server is; gone when all is there."""
    columns = (TextColumn("Fetching and checking Neo4j"), BarColumn(), MofNCompleteColumn())
    with ExitStack() as stack:
        shown: list[tuple[Progress, TaskID]] = []

        def report(done: int, total: int) -> None:
            if not shown:
                progress = Progress(*columns, console=Console(stderr=True), transient=True)
                stack.enter_context(progress)
                shown.append((progress, progress.add_task("jars", total=total)))
            progress, task = shown[0]
            progress.update(task, completed=done)
            if done == total:
                stack.close()

        yield report


def addresses(state: LocalState, folder: Path) -> dict[str, str]:
    """Where a person or a program finds what runs."""
    found: dict[str, str] = {}
    if state.neo4j is not None:
        found["Neo4j"] = f"bolt://127.0.0.1:{state.neo4j.port}"
        if state.http_port is not None:
            found["Neo4j Browser"] = f"http://localhost:{state.http_port}/browser/"
        if state.has_login:
            found["Neo4j login"] = f"neo4j, password in {folder / 'secrets.json'}"
    elif os.environ.get("NEO4J_URI"):
        found["Neo4j"] = os.environ["NEO4J_URI"]
    if state.valkey is not None:
        found["Valkey"] = f"127.0.0.1:{state.valkey.port}, password in {folder / 'secrets.json'}"
    elif os.environ.get("REDIS_URL"):
        found["Valkey"] = "named by REDIS_URL"
    return found


def _print(state: LocalState | None, *, as_json: bool) -> None:
    folder = home()
    if as_json:
        click.echo(json.dumps(_as_json(state, folder)))
    elif state is not None:
        for name, address in addresses(state, folder).items():
            click.echo(f"{name:<14} {address}")
        for name in state.services.keys() - state.alive.keys():
            click.echo(f"{name} was started and has ended; `shopgraph services stop` tidies up.")


def _as_json(state: LocalState | None, folder: Path) -> dict[str, Any]:
    services = {} if state is None else state.services
    alive = {} if state is None else state.alive
    return {
        "home": str(folder),
        "running": state is not None and len(alive) == len(services),
        "services": {
            name.lower(): {"pid": s.running.pid, "port": s.port, "running": name in alive}
            for name, s in services.items()
        },
        "browser_port": None if state is None else state.http_port,
        "started_by": None if state is None else state.started_by,
    }

"""Neo4j and Valkey of one data folder: start, stop, look."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from pydantic import SecretStr

from graph.server import process
from graph.server.config import ServerPlan
from graph.server.errors import ServerError
from graph.server.java import find_java
from graph.server.launch import STOP_WITHIN_S, Neo4jServer
from graph.server.lock import read_lock
from graph.server.ports import is_free
from graph.server.provision import Report, cache_folder, provision
from workers.local import valkey
from workers.local.errors import FolderHeld, PortTaken, ServiceFailed
from workers.local.secrets import Secrets, load_secrets
from workers.local.settings import LocalSettings, Ports
from workers.local.state import LocalState, Service, forget_state, read_state, write_state

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Starting:
    """
    How services are to be started.

    Attributes:
        started_by: what to tell the next one who finds the folder in use.
        ends_with_parent: stop them when this process dies, however it dies.
        for_tests: no login and no Browser, for made-up data on a random port.
        report: told how many jars of how many are there.
    """

    started_by: str = "shopgraph services start"
    ends_with_parent: bool = False
    for_tests: bool = False
    report: Report = lambda done, total: None


def start(home: Path, ports: Ports, how: Starting | None = None) -> LocalState:
    """
    Start what is not named by ``NEO4J_URI`` and ``REDIS_URL``, and wait until it answers.

    Raises:
        FolderHeld: services of this folder run already.
        PortTaken: something else listens on a port.
        ServiceFailed: a service did not come up; nothing is left running.
        StateUnreadable: a file in the folder is damaged.
    """
    how = how or Starting()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _starting_alone(home):
        _refuse_if_running(home)
        return _start(home, ports, how)


def stop(home: Path) -> dict[str, bool]:
    """
    End the services of a data folder: SIGTERM, wait, SIGKILL.

    Returns:
        By name of those that ran, whether each ended by itself.

    Raises:
        StateUnreadable: the folder's state is damaged.
    """
    state = read_state(home)
    if state is None:
        return {}
    alive = state.alive
    patience = {"Neo4j": STOP_WITHIN_S, "Valkey": valkey.STOP_WITHIN_S}
    ended = {
        name: process.stop(service.running, patience_s=patience[name])
        for name, service in alive.items()
    }
    forget_state(home)
    log.info("services_stopped", services=ended)
    return ended


def status(home: Path) -> LocalState | None:
    """The services of a data folder; none if nothing of ours runs there."""
    state = read_state(home)
    return state if state is not None and state.alive else None


def _start(home: Path, ports: Ports, how: Starting) -> LocalState:
    settings = LocalSettings()
    secrets = load_secrets(home)
    is_graph_ours, is_stream_ours = settings.neo4j_uri is None, settings.redis_url is None
    _refuse_taken_ports(ports, how, is_graph_ours=is_graph_ours, is_stream_ours=is_stream_ours)
    state = LocalState(
        neo4j=None,
        valkey=None,
        http_port=ports.http_port if is_graph_ours and not how.for_tests else None,
        api_port=ports.api_port,
        has_login=not how.for_tests,
        started_by=how.started_by,
        started_ms=int(time.time() * 1000),
    )
    started = time.monotonic()
    try:
        server = _graph_server(home, ports, secrets, how) if is_graph_ours else None
        if server is not None:
            running = server.start(ends_with_parent=how.ends_with_parent)
            state = replace(state, neo4j=Service(running, ports.bolt_port))
            write_state(home, state)
        if is_stream_ours:
            state = _start_valkey(home, ports, secrets, how, state)
        if server is not None and state.neo4j is not None:
            server.wait_until_ready(state.neo4j.running)
    except ServerError as error:
        stop(home)
        raise ServiceFailed(str(error)) from error
    except BaseException:
        # Also when the person at the keyboard has had enough: nothing may be left behind.
        stop(home)
        raise
    write_state(home, state)
    log.info("services_started", duration_ms=round((time.monotonic() - started) * 1000))
    return state


def _graph_server(home: Path, ports: Ports, secrets: Secrets, how: Starting) -> Neo4jServer:
    unpacked = LocalSettings().neo4j_home
    java = find_java()
    if unpacked is not None:
        lib = unpacked.expanduser().absolute() / "lib"
        if not lib.is_dir():
            raise ServiceFailed(f"NEO4J_HOME names {unpacked}, which has no lib folder")
    else:
        lib = provision(read_lock(), cache_folder(), report=how.report)
    plan = ServerPlan(home=home / "neo4j", lib=lib, bolt_port=ports.bolt_port)
    if how.for_tests:
        plan = replace(plan, is_durable=False, page_cache="128m")
    else:
        plan = replace(
            plan,
            http_port=ports.http_port,
            api_port=ports.api_port,
            password=SecretStr(secrets.neo4j_password),
        )
    return Neo4jServer(plan, java)


def _start_valkey(
    home: Path, ports: Ports, secrets: Secrets, how: Starting, state: LocalState
) -> LocalState:
    server = valkey.ValkeyServer(home / "valkey", ports.valkey_port, secrets.valkey_password)
    running = server.start(ends_with_parent=how.ends_with_parent)
    state = replace(state, valkey=Service(running, ports.valkey_port))
    write_state(home, state)
    server.wait_until_ready(running)
    return state


def _refuse_if_running(home: Path) -> None:
    state = status(home)
    if state is not None:
        names = " and ".join(
            f"{name} (process {service.running.pid}, port {service.port})"
            for name, service in state.alive.items()
        )
        raise FolderHeld(
            f"{home} is in use: {names} run there, started by `{state.started_by}`; "
            "end them with `shopgraph services stop`"
        )


def _refuse_taken_ports(
    ports: Ports, how: Starting, *, is_graph_ours: bool, is_stream_ours: bool
) -> None:
    needed: list[tuple[str, int, str]] = []
    if is_graph_ours:
        needed.append(("Neo4j", ports.bolt_port, "SHOPGRAPH_BOLT_PORT"))
        if not how.for_tests:
            needed.append(("Neo4j Browser", ports.http_port, "SHOPGRAPH_HTTP_PORT"))
    if is_stream_ours:
        needed.append(("Valkey", ports.valkey_port, "SHOPGRAPH_VALKEY_PORT"))
    for name, port, variable in needed:
        refuse_taken_port(name, port, variable)


def refuse_taken_port(name: str, port: int, variable: str) -> None:
    """
    Make sure that a port can be listened on.

    Raises:
        PortTaken: it cannot; the message names the variable that chooses another one.
    """
    if not is_free(port):
        raise PortTaken(
            f"port {port} for {name} is in use; end what listens there "
            f"or choose another one with {variable}"
        )


@contextmanager
def _starting_alone(home: Path) -> Iterator[None]:
    with (home / "starting.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderHeld(f"{home} is in use: its services are being started") from error
        yield

"""Neo4j and Valkey in the background, and all processes in the foreground, for real."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from graph.client import Graph
from graph.errors import GraphRejected
from graph.settings import GraphSettings
from workers.local import Ports, environment, stop_local
from workers.local.state import read_state

SHOPGRAPH = [str(Path(sys.executable).with_name("shopgraph"))]
ELSEWHERE = ("NEO4J_URI", "NEO4J_USER", "NEO4J_PASSWORD", "NEO4J_HOME", "REDIS_URL")


class Machine:
    """One data folder with ports of its own, and the command line."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = Ports.free()
        kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        numbers = {f"SHOPGRAPH_{k.upper()}": str(v) for k, v in self.ports.model_dump().items()}
        self.environment = kept | numbers | {"SHOPGRAPH_HOME": str(home)}

    def run(self, *arguments: str, **changed: str) -> "subprocess.CompletedProcess[str]":
        """One command to its end."""
        return subprocess.run(
            [*SHOPGRAPH, *arguments],
            env=self.environment | changed,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def up(self, output: Path) -> "subprocess.Popen[bytes]":
        """All processes; returns when they say that they are ready."""
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*SHOPGRAPH, "up"], env=self.environment, stdout=file, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 240
        while "Shopgraph is ready" not in output.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                pytest.fail(f"not ready: {output.read_text()[-3000:]}")
            time.sleep(0.5)
        return process

    def processes(self) -> list[str]:
        """The command lines of everything that runs for this folder."""
        found = []
        for process in psutil.process_iter():
            try:
                is_ours = process.environ().get("SHOPGRAPH_HOME") == str(self.home)
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline())[:200])
            except psutil.Error:
                continue
        return found

    def has_ended_within(self, seconds: float) -> bool:
        """Whether nothing of this folder is left after some time."""
        deadline = time.monotonic() + seconds
        while self.processes():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, services: object) -> Iterator[Machine]:
    """Services that ``shopgraph services start`` has left in the background."""
    machine = Machine(tmp_path_factory.mktemp("started") / "home")
    result = machine.run("services", "start")
    try:
        assert result.returncode == 0, result.stderr
        assert f"bolt://127.0.0.1:{machine.ports.bolt_port}" in result.stdout
        yield machine
    finally:
        stop_local(machine.home)


@pytest.fixture
def elsewhere_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """No services that the environment names."""
    for name in ELSEWHERE:
        monkeypatch.delenv(name, raising=False)


def test_the_status_says_what_runs(started: Machine) -> None:
    """One JSON object on standard output and nothing else."""
    result = started.run("services", "status", "--json")
    said = json.loads(result.stdout)
    assert result.returncode == 0
    assert said["running"] is True
    assert said["services"]["neo4j"]["port"] == started.ports.bolt_port
    assert said["services"]["valkey"]["running"] is True


def test_a_second_start_in_the_folder_says_who_holds_it(started: Machine) -> None:
    """One sentence, no stack trace, exit code 1."""
    state = read_state(started.home)
    assert state is not None
    assert state.neo4j is not None
    result = started.run("services", "start")
    assert result.returncode == 1
    assert f"process {state.neo4j.running.pid}" in result.stderr
    assert "shopgraph services stop" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_named_with_its_variable(started: Machine, tmp_path: Path) -> None:
    """Of another folder, so that only the port stands in the way."""
    for variable, name in (("SHOPGRAPH_BOLT_PORT", "Neo4j"), ("SHOPGRAPH_VALKEY_PORT", "Valkey")):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            other = Machine(tmp_path / "other")
            port = str(taken.getsockname()[1])
            result = other.run("services", "start", **{variable: port})
        assert result.returncode == 1
        assert f"port {port} for {name} is in use" in result.stderr
        assert variable in result.stderr
        assert other.processes() == []


@pytest.mark.usefixtures("elsewhere_unset")
def test_the_graph_wants_the_generated_password(started: Machine) -> None:
    """It is kept for the owner's eyes alone."""
    found = environment(started.home)
    graph = Graph(GraphSettings(uri=found["NEO4J_URI"], password=found["NEO4J_PASSWORD"]))
    graph.ping()
    graph.close()
    stranger = Graph(GraphSettings(uri=found["NEO4J_URI"], password="not that one"))
    with pytest.raises(GraphRejected, match="login"):
        stranger.ping()
    stranger.close()
    assert stat.S_IMODE((started.home / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((started.home / "services.json").stat().st_mode) == 0o600


@pytest.mark.usefixtures("elsewhere_unset")
def test_the_stream_loses_nothing_that_it_took(started: Machine) -> None:
    """Fsync on every write, no forgetting when full, a password."""
    url = environment(started.home)["REDIS_URL"]
    with redis.Redis.from_url(url, decode_responses=True) as client:
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with (
        redis.Redis(port=started.ports.valkey_port) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_no_password_stands_on_a_command_line(started: Machine) -> None:
    """Anybody on the machine can read those."""
    secrets = json.loads((started.home / "secrets.json").read_text())
    lines = " ".join(started.processes())
    assert "CommunityEntryPoint" in lines or "java" in lines
    assert not [name for name, value in secrets.items() if value in lines]


def test_a_killed_graph_is_seen_and_the_rest_is_tidied_up(started: Machine) -> None:
    """The last test of these services: a stop leaves nothing, and a second one says so."""
    state = read_state(started.home)
    assert state is not None
    assert state.neo4j is not None
    os.kill(state.neo4j.running.pid, signal.SIGKILL)
    time.sleep(1)
    seen = started.run("services", "status")
    assert seen.returncode == 1
    assert "Neo4j was started and has ended" in seen.stdout
    stopped = started.run("services", "stop")
    assert stopped.returncode == 0
    assert stopped.stdout.split() == ["Valkey", "stopped."]
    assert started.has_ended_within(5)
    assert "Nothing runs" in started.run("services", "stop").stdout


def test_up_runs_all_ends_all_and_survives_its_own_death(tmp_path: Path, services: object) -> None:
    """Killed with ``kill -9`` it leaves no orphan; started again it ends with exit code 0."""
    machine = Machine(tmp_path / "home")
    process = machine.up(tmp_path / "first.log")
    second = machine.run("up")
    assert second.returncode == 1
    assert f"is in use by `shopgraph up` (process {process.pid})" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
    held = machine.run("services", "stop")
    assert held.returncode == 1
    assert "Ctrl-C" in held.stderr
    process.kill()
    process.wait()
    assert machine.has_ended_within(90), machine.processes()

    again = machine.up(tmp_path / "second.log")
    again.send_signal(signal.SIGINT)
    assert again.wait(120) == 0, (tmp_path / "second.log").read_text()[-3000:]
    assert machine.has_ended_within(5), machine.processes()
    assert read_state(machine.home) is None

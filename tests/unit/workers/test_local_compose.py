"""The compose file runs what the local supervisor runs, and gives no secret away."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.local.supervisor import MIGRATE, PROCESSES, child_environment

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
STORES = {"neo4j", "valkey"}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_a_service_with_the_same_command(name: str) -> None:
    """What was tried on one machine is what runs in a container."""
    assert SERVICES[name]["command"] == PROCESSES[name]


def test_threads_that_wait_leave_the_cores_to_others_here_and_there(tmp_path: Path) -> None:
    """A training beside a busy process is many times slower where they wait in a loop."""
    here = child_environment({}, home=tmp_path, api_port=1)
    assert here["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "OMP_WAIT_POLICY=PASSIVE" in (ROOT / "Dockerfile").read_text()


def test_migrations_run_before_everything_that_needs_them() -> None:
    """Each process waits for the schema, and the schema for the graph."""
    assert SERVICES["migrate"]["command"] == MIGRATE
    assert SERVICES["migrate"]["depends_on"]["neo4j"]["condition"] == "service_healthy"
    for name in PROCESSES:
        waits = SERVICES[name]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
        assert waits["valkey"]["condition"] == "service_healthy"


def test_there_is_nothing_beside_processes_stores_and_migrations() -> None:
    """One service more would be one that nobody tried."""
    plain = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert plain == set(PROCESSES) | STORES | {"migrate"}


def test_several_machines_worth_of_processes_run_the_same_commands() -> None:
    """Two more API processes and a second trainer, by a profile, on the same stores and models."""
    more = {name: service for name, service in SERVICES.items() if "profiles" in service}
    assert {tuple(service["profiles"]) for service in more.values()} == {("several",)}
    assert set(more) == {"api-2", "api-3", "training-2", "balancer"}
    for name in ("api-2", "api-3", "training-2"):
        first = SERVICES[name[:-2]]
        for part in ("command", "environment", "volumes", "image"):
            assert more[name][part] == first[part]


def test_the_balancer_asks_every_process_of_the_api() -> None:
    """None is left out, and it waits for all of them."""
    command = SERVICES["balancer"]["command"]
    asked = [command[k + 1] for k, word in enumerate(command) if word == "--to"]
    there = [name for name in SERVICES if name == "api" or name.startswith("api-")]
    assert asked == [f"{name}:8000" for name in there]
    assert SERVICES["balancer"]["depends_on"] == there


@pytest.mark.parametrize("name", [*sorted(STORES), "api", "worker", "training"])
def test_what_can_be_asked_for_its_health_is(name: str) -> None:
    """A container that hangs is seen."""
    assert SERVICES[name]["healthcheck"]["test"]


def test_no_secret_has_a_default() -> None:
    """Without one of ours nothing starts; without one of a platform, that platform is not asked."""
    secret = re.findall(r"\$\{(\w*(?:PASSWORD|KEYS?)\w*)([^}]*)\}", TEXT)
    assert secret
    platforms = [name for name, rest in secret if rest == ":-"]
    assert all("TAOBAO" in name or "JD" in name for name in platforms)
    assert all(rest.startswith(":?") for name, rest in secret if name not in platforms)


def test_ports_are_open_to_this_machine_only() -> None:
    """Whoever wants more says so."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_does_not_run_as_root() -> None:
    """The last user named is an ordinary one."""
    users = re.findall(r"^USER (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users[-1] == "shopgraph"

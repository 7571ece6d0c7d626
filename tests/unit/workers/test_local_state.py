"""What a data folder knows of its services, and the environment made from it."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from graph.server.process import Running
from workers.local import environment
from workers.local.errors import ServicesNotRunning, StateUnreadable
from workers.local.secrets import load_secrets
from workers.local.state import LocalState, Service, forget_state, read_state, write_state

NAMES = ("NEO4J_URI", "NEO4J_USER", "NEO4J_PASSWORD", "REDIS_URL", "SHOPGRAPH_API_KEYS")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing from the environment of whoever runs the tests."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def alive() -> Running:
    """This very process."""
    ticks = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]
    return Running(os.getpid(), float(ticks))


def running() -> LocalState:
    """Services that run, for all that can be seen."""
    return LocalState(
        neo4j=Service(alive(), 7001),
        valkey=Service(alive(), 7002),
        http_port=7003,
        api_port=7004,
        has_login=True,
        started_by="a test",
        started_ms=1,
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """And gone when it is forgotten."""
    write_state(tmp_path, running())
    assert read_state(tmp_path) == running()
    forget_state(tmp_path)
    assert read_state(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '{"neo4j": 1}'])
def test_a_damaged_state_is_named_and_not_guessed(tmp_path: Path, text: str) -> None:
    """The sentence says which file."""
    (tmp_path / "services.json").write_text(text)
    with pytest.raises(StateUnreadable, match=r"services\.json is damaged"):
        read_state(tmp_path)


def test_secrets_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    """Mode 600, each another, the same on the second call."""
    made = load_secrets(tmp_path)
    path = tmp_path / "secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secrets(tmp_path) == made
    assert len({made.browser_key, made.server_key, made.admin_key}) == 3
    assert made.server_key not in repr(made)


def test_a_damaged_secrets_file_is_not_replaced(tmp_path: Path) -> None:
    """New keys would make every known shopper a stranger."""
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(StateUnreadable, match="backup"):
        load_secrets(tmp_path)


def test_the_environment_names_the_services_and_their_keys(tmp_path: Path) -> None:
    """Everything that a process of this folder needs."""
    write_state(tmp_path, running())
    found = environment(tmp_path)
    assert found["NEO4J_URI"] == "bolt://127.0.0.1:7001"
    assert found["NEO4J_PASSWORD"] == load_secrets(tmp_path).neo4j_password
    assert found["REDIS_URL"].endswith("@127.0.0.1:7002/0")
    assert found["SHOPGRAPH_API_KEYS"].count(",") == 2


def test_what_the_user_has_set_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph that runs elsewhere needs none of ours."""
    monkeypatch.setenv("NEO4J_URI", "bolt://elsewhere:7687")
    write_state(tmp_path, replace(running(), neo4j=None))
    found = environment(tmp_path)
    assert "NEO4J_URI" not in found
    assert "NEO4J_PASSWORD" not in found


def test_services_that_do_not_run_are_said_with_the_way_out(tmp_path: Path) -> None:
    """Also when the state names a process that has ended."""
    with pytest.raises(ServicesNotRunning, match="shopgraph services start"):
        environment(tmp_path)
    gone = Service(Running(2**22 - 1, 0.0), 7001)
    write_state(tmp_path, replace(running(), neo4j=gone))
    with pytest.raises(ServicesNotRunning, match="NEO4J_URI"):
        environment(tmp_path)

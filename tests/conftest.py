"""Servers for the tests: those that the environment names, else ones of our own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from graph.settings import GraphSettings
from workers.local import Ports, Starting, environment, start_local, stop_local
from workers.local.errors import LocalError


@dataclass(frozen=True)
class Services:
    """Addresses of the services that the tests talk to."""

    neo4j: GraphSettings
    redis_url: str


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """
    A Neo4j and a Valkey: ``NEO4J_URI`` and ``REDIS_URL``, or servers that end with the run.

    Where they cannot be had the tests are skipped; with ``REQUIRE_SERVICES=1`` and in CI they fail.
    """
    home = tmp_path_factory.mktemp("services")
    how = Starting(started_by="the tests", ends_with_parent=True, for_tests=True)
    try:
        start_local(home, Ports.free(), how)
        found = os.environ | environment(home)
    except LocalError as error:
        if os.environ.get("REQUIRE_SERVICES") == "1" or os.environ.get("CI"):
            pytest.fail(f"the services are required: {error}")
        pytest.skip(f"no services: {error}")
    yield Services(_settings(found), found["REDIS_URL"])
    stop_local(home)


@pytest.fixture
def local_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of the test's own, without services that the environment names."""
    for name in ("NEO4J_URI", "NEO4J_USER", "NEO4J_PASSWORD", "NEO4J_HOME", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    monkeypatch.setenv("SHOPGRAPH_HOME", str(home))
    yield home
    stop_local(home)


def _settings(found: dict[str, str]) -> GraphSettings:
    return GraphSettings(
        uri=found["NEO4J_URI"],
        user=found.get("NEO4J_USER", "neo4j"),
        password=found.get("NEO4J_PASSWORD"),  # type: ignore[arg-type]
    )

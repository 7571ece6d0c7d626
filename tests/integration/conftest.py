"""A graph, a Valkey and an API for the tests, each empty at its start."""

import base64
import inspect
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from neo4j import ManagedTransaction, NotificationMinimumSeverity
from neo4j._sync.work import result

from backend import wsgi
from backend.wiring import parts
from graph import migrations
from graph.client import Graph
from graph.settings import GraphSettings
from tests.conftest import Services
from tests.factories import KEYS, ORIGIN
from workers.ingest.consumer import Consumer
from workers.ingest.settings import IngestSettings

WIPE = "MATCH (n) WHERE NOT n:__Neo4jMigration CALL (n) { DETACH DELETE n } IN TRANSACTIONS"


def _stack() -> list[inspect.FrameInfo]:
    """The frames above, without the lines of their sources."""
    found, frame = list[inspect.FrameInfo](), inspect.currentframe()
    while frame is not None:
        code = frame.f_code
        place = code.co_filename, frame.f_lineno, code.co_name
        found.append(inspect.FrameInfo(frame, *place, code_context=None, index=None))
        frame = frame.f_back
    return found


# For its warnings the driver keeps the stack of each query, and looks for the sources of every
# frame among all modules: a quarter of the time of these tests.
result.inspect = SimpleNamespace(stack=_stack, FrameInfo=inspect.FrameInfo)  # type: ignore


@pytest.fixture(scope="session")
def neo4j_settings(services: Services) -> GraphSettings:
    """Address and login of the test graph."""
    return services.neo4j


@pytest.fixture(scope="session")
def neo4j_uri(services: Services) -> str:
    """The Bolt address of the test graph."""
    return services.neo4j.uri


@pytest.fixture(scope="session")
def migrated_graph(services: Services) -> Iterator[Graph]:
    """
    The test graph with its constraints and indexes, whatever else is in it.

    Warnings of the server are errors: old Cypher, names that nothing has.
    """
    first = Graph(services.neo4j)
    _refuse_strangers_data(first)
    migrations.apply(first, owner="tests", now_ms=int(time.time() * 1000))
    first.close()
    graph = Graph(services.neo4j, warn_severity=NotificationMinimumSeverity.WARNING)
    yield graph
    # A server that is kept must look unused to the next run.
    graph.run_alone(WIPE)
    graph.close()


@pytest.fixture
def graph(migrated_graph: Graph) -> Graph:
    """An empty graph with its constraints and indexes."""
    migrated_graph.run_alone(WIPE)
    return migrated_graph


@pytest.fixture
def redis_url(services: Services) -> str:
    """An empty Valkey."""
    with redis.Redis.from_url(services.redis_url) as client:
        client.flushdb()
    return services.redis_url


@pytest.fixture
def app(
    graph: Graph,
    redis_url: str,
    neo4j_settings: GraphSettings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Flask]:
    """The API on an empty graph and an empty Valkey, wired from its environment."""
    password = neo4j_settings.password
    for name, value in {
        "NEO4J_URI": neo4j_settings.uri,
        "NEO4J_USER": neo4j_settings.user,
        "NEO4J_PASSWORD": password.get_secret_value() if password else None,
        "REDIS_URL": redis_url,
        "SHOPGRAPH_PSEUDONYM_KEY": base64.b64encode(b"p" * 32).decode(),
        "SHOPGRAPH_ENCRYPTION_KEY": base64.b64encode(bytes(range(64))).decode(),
        "SHOPGRAPH_API_KEYS": KEYS,
        "SHOPGRAPH_ALLOWED_ORIGINS": ORIGIN,
        "SHOPGRAPH_MODEL_STORE": str(tmp_path / "models"),
    }.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    app = wsgi.build(graph)
    yield app
    with app.app_context():
        parts().models.stop()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the API."""
    return app.test_client()


@pytest.fixture
def drain(graph: Graph, redis_url: str) -> Callable[[], object]:
    """Lets the ingest worker write what is on the stream."""
    return Consumer(graph, redis_url, IngestSettings()).drain


def _refuse_strangers_data(graph: Graph) -> None:
    # The tests wipe the graph, and NEO4J_URI may name one that somebody needs.
    if not graph.read(_is_ours_to_wipe) and os.environ.get("TESTS_MAY_WIPE") != "1":
        pytest.fail(
            "NEO4J_URI names a graph with data that is not from these tests; "
            "set TESTS_MAY_WIPE=1 if it may be wiped"
        )


def _is_ours_to_wipe(tx: ManagedTransaction) -> bool:
    record = tx.run("MATCH (n) WHERE NOT n:__Neo4jMigration RETURN count(n) AS n").single(
        strict=True
    )
    return int(record["n"]) == 0

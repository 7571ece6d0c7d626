"""Whatever our own document allows, and what it forbids, the API answers without breaking."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from backend import wsgi
from backend.wiring import parts
from graph.client import Graph
from graph.settings import GraphSettings

EXAMPLES = int(os.environ.get("EXAMPLES", "50"))
KEYS = "browser:page:b-secret,server:shop:s-secret,admin:ops:a-secret"
ADMIN = {"X-API-Key": "a-secret"}


@pytest.fixture
def app(
    graph: Graph,
    redis_url: str,
    neo4j_settings: GraphSettings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Flask]:
    """The application on real services."""
    password = neo4j_settings.password
    for name, value in {
        "NEO4J_URI": neo4j_settings.uri,
        "NEO4J_USER": neo4j_settings.user,
        "NEO4J_PASSWORD": password.get_secret_value() if password else None,
        "REDIS_URL": redis_url,
        "SHOPGRAPH_PSEUDONYM_KEY": base64.b64encode(b"p" * 32).decode(),
        "SHOPGRAPH_ENCRYPTION_KEY": base64.b64encode(bytes(range(64))).decode(),
        "SHOPGRAPH_API_KEYS": KEYS,
        "SHOPGRAPH_MODEL_STORE": str(tmp_path / "models"),
    }.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    app = wsgi.build(graph)
    yield app
    with app.app_context():
        parts().models.stop()


def test_no_call_that_the_document_describes_breaks_the_api(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    """No 5xx, and no status that the document does not name, for any operation."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    calls: dict[str, int] = {}
    broken: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        name = f"{operation.method.upper()} {operation.path}"
        documented = {str(status) for status in operation.definition.raw["responses"]}
        calls[name] = _try(operation, documented, broken)
    with capsys.disabled():
        print(f"\n{sum(calls.values()):,} requests to {len(calls)} calls of the API")  # noqa: T201
    assert broken == []
    assert calls["POST /v1/events"] >= EXAMPLES
    assert all(calls.values()), "a call without parameters has one way to be asked"


def _try(operation: Any, documented: set[str], broken: list[str]) -> int:
    """Send examples that fit the document, and ones that do not; how many."""
    sent = 0
    positive = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wanted = st.one_of(positive, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=wanted)
    def call(case: Any) -> None:
        nonlocal sent
        sent += 1
        answer = case.call(headers=ADMIN)
        status = str(answer.status_code)
        if status[0] == "5" or status not in documented | {"404", "405", "415"}:
            broken.append(f"{case.method} {case.formatted_path} {case.query} {case.body} {status}")

    call()
    return sent

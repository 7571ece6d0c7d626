"""Both server clients, behind one way to call them."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).parents[2] / "clients"
SCRIPT = """
import { readFileSync } from 'node:fs';
const { Shopgraph } = await import(process.argv[1]);
const { events, ...how } = JSON.parse(readFileSync(0, 'utf8'));
try {
  console.log(JSON.stringify({ rows: await new Shopgraph(how).send(events) }));
} catch ({ name, message, rows, left, status, code }) {
  console.log(JSON.stringify({ error: name, message, rows, left, status, code }));
}
"""


@dataclass(frozen=True)
class Sent:
    """What a client said in the end."""

    rows: list[dict[str, Any]]
    error: str | None = None
    message: str = ""
    left: list[dict[str, Any]] = field(default_factory=list)
    status: int | None = None
    code: str | None = None


Send = Callable[..., Sent]


@pytest.fixture(params=["python", "javascript"])
def send(request: pytest.FixtureRequest) -> Send:
    """``send(url, events, key=..., patience_s=...)`` of either client."""
    if request.param == "python":
        return _send_from_python
    if shutil.which("node") is None:
        pytest.skip("no node: the JavaScript client needs one, of version 18 or newer")
    return _send_from_javascript


def _send_from_python(
    url: str, events: list[Any], *, key: str = "k", patience_s: float = 20.0
) -> Sent:
    client = _python_client()
    try:
        return Sent(client.Shopgraph(url, key, patience_s=patience_s, timeout_s=5).send(events))
    except client.NotSent as error:
        status, code = getattr(error, "status", None), getattr(error, "code", None)
        name = type(error).__name__
        return Sent(error.rows, name, str(error), error.left, status, code)


def _send_from_javascript(
    url: str, events: list[Any], *, key: str = "k", patience_s: float = 20.0
) -> Sent:
    how = {"url": url, "key": key, "patienceMs": patience_s * 1000, "timeoutMs": 5000}
    client = (CLIENTS / "javascript" / "shopgraph-client.mjs").as_uri()
    command = ["node", "--input-type=module", "-e", SCRIPT, client]
    said = json.dumps({**how, "events": events})
    told = subprocess.run(
        command, input=said, capture_output=True, check=True, text=True, timeout=60
    )
    return Sent(**json.loads(told.stdout))


def _python_client() -> Any:
    name = "shopgraph_client"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, CLIENTS / "python" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]

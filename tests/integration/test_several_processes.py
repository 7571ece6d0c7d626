"""Three processes of the API and two training workers on one graph and one Valkey."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from graph import migrations, models
from graph.client import Graph
from graph.domain.models import ModelStatus
from graph.settings import GraphSettings
from tests import shop
from workers.commands.api import Api
from workers.errors import ApiUnavailable
from workers.jobs import Jobs
from workers.local import Ports, Starting, environment, start_local, stop_local
from workers.local.children import ending
from workers.local.secrets import load_secrets
from workers.local.supervisor import PROCESSES, child_environment
from workers.runs import request


@dataclass(frozen=True)
class Fleet:
    """The processes, and where each of the API answers."""

    apis: list[Api]
    admin: Api
    graph: Graph
    redis_url: str


@pytest.fixture
def fleet(local_home: Path) -> Iterator[Fleet]:
    """Started one by one with the commands that a machine runs, each with a port of its own."""
    ports = Ports.free()
    start_local(local_home, ports, Starting("a test", ends_with_parent=True, for_tests=True))
    env = environment(local_home)
    graph = Graph(GraphSettings(uri=env["NEO4J_URI"]))
    migrations.apply(graph, owner="test", now_ms=1)
    keys = load_secrets(local_home)
    listening = [ports.api_port, Ports.free().api_port, Ports.free().api_port]
    with ExitStack() as cleanup:
        cleanup.callback(stop_local, local_home)
        cleanup.callback(graph.close)

        def run(name: str, kind: str, **changes: str) -> None:
            children = child_environment(env, home=local_home / name, api_port=ports.api_port)
            command = [
                word.replace("training@", f"{name}@") if word.startswith("training@") else word
                for word in PROCESSES[kind]
            ]
            log = cleanup.enter_context((local_home / f"{name}.log").open("wb"))
            child = subprocess.Popen(
                command, env={**children, **changes}, stdout=log, stderr=subprocess.STDOUT
            )
            cleanup.enter_context(ending(child))

        for number, port in enumerate(listening):
            run(f"api-{number}", "api", GRANIAN_PORT=str(port), GRANIAN_WORKERS="1")
        run("ingest", "ingest")
        for number in range(2):
            run(f"training-{number}", "training")
        apis = [Api(f"http://127.0.0.1:{port}", SecretStr(keys.server_key)) for port in listening]
        yield Fleet(apis, Api(apis[1].url, SecretStr(keys.admin_key)), graph, env["REDIS_URL"])


def until(holds: Callable[[], object], *, within_s: float = 90.0) -> None:
    """Wait; an API that does not answer yet is asked again."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            if holds():
                return
        except ApiUnavailable:
            pass
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.2)


def serving(api: Api) -> str | None:
    """The model that a process says it serves."""
    found: str | None = api.readiness().get("checks", {}).get("model", {}).get("detail")
    return found


def level(api: Api) -> str:
    """What serves the visitor's list."""
    found: str = api.get("/v1/recommendations", anonymous_id="v-1")["level"]
    return found


def shown(api: Api, **asked: Any) -> list[str]:
    told = api.get("/v1/recommendations", limit=20, **asked)
    return [place["item_id"] for place in told["items"]]


def test_what_one_process_does_holds_in_all_of_them(fleet: Fleet) -> None:
    """Events by one, a run asked of another, hidden by the third; one model, the same answers."""
    first, _, third = fleet.apis
    shop.fill(fleet.graph, shop.checkerboard())
    for api in fleet.apis:
        until(lambda api=api: api.get("/healthz"))
    until(lambda: len(Jobs(fleet.redis_url).trainers()) == 2)
    run, _ = request(fleet.graph, Jobs(fleet.redis_url), profile="paper", options=shop.SMALL)
    until(lambda: fleet.admin.get("/v1/training-runs", run_id=run.run_id)["finished_at"])
    live = fleet.graph.read(models.live)
    assert live is not None
    made = [one.status for one in fleet.graph.read(models.all_models)]
    assert made == [ModelStatus.LIVE]
    for api in fleet.apis:
        until(lambda api=api: serving(api) == live.version)
    told = [
        {
            "event_id": f"e-{step}",
            "event_type": "view",
            "event_time": datetime.now(UTC).isoformat(),
            "anonymous_id": "v-1",
            "item_id": f"item-{step}",
        }
        for step in (2, 4, 6)
    ]
    assert first.post("/v1/events", told)["accepted"] == 3
    for api in fleet.apis:
        until(lambda api=api: level(api) == "session", within_s=10)
    lists = [shown(api, anonymous_id="v-1") for api in fleet.apis]
    assert lists[0] == lists[1] == lists[2]
    victim = lists[0][0]
    third.post("/v1/items", {"item_id": victim, "is_hidden": True})
    assert [victim in shown(api, anonymous_id="v-1") for api in fleet.apis] == [False] * 3

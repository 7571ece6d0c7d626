"""The commands as a person calls them, on real services."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graph import models
from graph.client import Graph
from graph.domain.ids import ModelVersion
from graph.domain.models import Model, ModelStatus, Slot
from graph.settings import GraphSettings
from tests.environments import process_environment

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def call(neo4j_settings: GraphSettings, redis_url: str, tmp_path: Path) -> Call:
    """Runs ``shopgraph`` in a folder of the test's own."""
    environment = process_environment(
        neo4j_settings, redis_url, SHOPGRAPH_HOME=str(tmp_path / "home")
    )

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "workers.commands", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def one_sentence(found: "subprocess.CompletedProcess[str]") -> str:
    """What was said on failing; a trace is no sentence."""
    assert found.returncode == 1, found.stderr
    said = found.stderr.strip().splitlines()[-1]
    assert said.startswith("Error: ")
    assert "Traceback" not in found.stderr
    return said


def stored(version: str, made: int, slot: Slot, status: ModelStatus) -> Model:
    """A model as the graph holds it."""
    return Model(
        version=ModelVersion(version),
        status=status,
        slot=slot,
        profile="paper",
        as_of_ms=0,
        data_seq=0,
        created_at=made,
        metrics={"test_paper_ap": 0.25},
    )


def test_migrate_says_what_is_applied_and_has_nothing_to_do(graph: Graph, call: Call) -> None:
    """JSON on stdout alone, and a second run changes nothing."""
    states = json.loads(call("migrate", "--status", "--json").stdout)
    assert states
    assert all(one["applied_at"] for one in states)
    assert json.loads(call("migrate", "--dry-run", "--json").stdout) == []
    assert "up to date" in call("migrate").stdout


def test_train_without_a_worker_says_which_command_starts_one(graph: Graph, call: Call) -> None:
    """One sentence, and no run is left waiting for nobody."""
    assert "shopgraph up" in one_sentence(call("train"))
    assert graph.read(models.live) is None


def test_e1_train_on_an_empty_graph_says_that_there_is_too_little(graph: Graph, call: Call) -> None:
    """The child worker does the run, it fails with its numbers, and both end."""
    said = one_sentence(call("train", "--here"))
    assert "training run t-" in said
    assert any(letter.isdigit() for letter in said.partition("failed:")[2])


def test_models_are_listed_and_only_a_whole_one_can_be_put_to_work(
    graph: Graph, call: Call, tmp_path: Path
) -> None:
    """A rollback to the other slot works; one that was written over is refused."""
    for made, (version, slot, status) in enumerate(
        [
            ("m-1", Slot.BLUE, ModelStatus.RETIRED),
            ("m-2", Slot.GREEN, ModelStatus.RETIRED),
            ("m-3", Slot.BLUE, ModelStatus.LIVE),
        ]
    ):
        graph.write(models.create, stored(version, made, slot, status))
    listed = json.loads(call("models", "list", "--json").stdout)
    assert [one["version"] for one in listed] == ["m-3", "m-2", "m-1"]
    shown = json.loads(call("models", "show", "m-3", "--json").stdout)
    assert (shown["version"], shown["metrics"]) == ("m-3", {"test_paper_ap": 0.25})
    assert "no model" in one_sentence(call("models", "show", "m-9"))
    assert "written over" in one_sentence(call("models", "activate", "m-1"))
    assert "files of m-2 are gone" in one_sentence(call("models", "activate", "m-2"))
    (tmp_path / "home" / "models" / "m-2").mkdir(parents=True)
    (tmp_path / "home" / "models" / "m-2" / "manifest.json").write_text("{}")
    assert call("models", "activate", "m-2").returncode == 0
    live = graph.read(models.live)
    assert live is not None
    assert live.version == "m-2"
    assert "no model" in one_sentence(call("models", "activate", "m-9"))


def test_explore_says_where_to_look_without_any_secret(graph: Graph, call: Call) -> None:
    """Addresses, the login's name and where its password is kept."""
    found = json.loads(call("explore", "--json").stdout)
    assert "/browser/" in found["browser"]
    assert found["style"].endswith("graph.grass")
    assert "password" not in found


def test_recommend_without_an_api_is_one_sentence(graph: Graph, call: Call) -> None:
    """It names the command that starts one."""
    found = call("recommend", "--user-id", "u-1")
    assert "shopgraph up" in one_sentence(found)

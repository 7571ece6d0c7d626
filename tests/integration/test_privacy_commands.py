"""The commands of privacy, as an operator types them."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from graph import audit, key_ring
from graph.client import Graph
from tests.factories import told
from tests.privacy import everything, row, send
from workers.commands.export import export
from workers.commands.keys import keys
from workers.commands.retention import retention
from workers.errors import RotationRefused
from workers.intake.settings import IntakeSettings
from workers.intake.stream import EventStream
from workers.local.secrets import load_secrets

Drain = Callable[[], object]


def test_a_person_is_exported_into_a_file_for_the_owners_eyes(
    client: FlaskClient, drain: Drain, graph: Graph, tmp_path: Path
) -> None:
    """A file that exists is not written over."""
    send(client, row("a", user_id="ann", item_id="i"))
    drain()
    file = tmp_path / "ann.jsonl"
    run = CliRunner()
    done = run.invoke(export, ["person", "ann", str(file)])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one["user_id"] for one in lines if "event_id" in one] == ["ann"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = run.invoke(export, ["person", "ann", str(file)])
    assert again.exit_code == 1
    assert "exists" in again.output
    assert [one.by for one in graph.read(audit.latest, 9)] == ["command line"]


@pytest.mark.usefixtures("client")
def test_retention_by_hand_prints_what_went() -> None:
    """Nothing is old here; the keys need not be at hand."""
    done = CliRunner().invoke(retention, ["--json"])
    assert (done.exit_code, json.loads(done.stdout.splitlines()[-1])) == (0, {})


@pytest.mark.usefixtures("client")
def test_keys_are_made_kept_and_used_in_one_command(
    drain: Drain,
    graph: Graph,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keys of the environment are not ours to change; those of the data folder are."""
    monkeypatch.setenv("SHOPGRAPH_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    run = CliRunner()
    refused = run.invoke(keys, ["rotate"])
    assert refused.exit_code == 1
    assert "environment" in refused.output
    before = load_secrets(tmp_path / "home")
    monkeypatch.setenv("SHOPGRAPH_PSEUDONYM_KEY", before.pseudonym_key)
    monkeypatch.setenv("SHOPGRAPH_ENCRYPTION_KEY", before.encryption_key)
    EventStream(redis_url).append([told("w|1")])
    waits = run.invoke(keys, ["rotate"])
    assert isinstance(waits.exception, RotationRefused)
    assert load_secrets(tmp_path / "home") == before, "no key is made that cannot be used"
    drain()
    done = run.invoke(keys, ["rotate"])
    assert done.exit_code == 0, done.output
    after = load_secrets(tmp_path / "home")
    assert after.pseudonym_key.split(",")[0] == before.pseudonym_key
    assert after.encryption_key.split(",")[0] == before.encryption_key
    monkeypatch.setenv("SHOPGRAPH_PSEUDONYM_KEY", after.pseudonym_key)
    monkeypatch.setenv("SHOPGRAPH_ENCRYPTION_KEY", after.encryption_key)
    made = IntakeSettings().pseudonyms()
    assert graph.read(key_ring.current) == made.key_ids[1]
    assert after.admin_key == before.admin_key
    assert "KeyRing" in str(graph.read(everything))

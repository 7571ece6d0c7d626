"""The command line's door: fast help, one sentence for what may go wrong."""

import subprocess
import sys
import time
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from graph.errors import GraphUnavailable
from graph.server.errors import JavaMissing
from ml.errors import NotEnoughData
from workers.commands import main as door
from workers.commands.api import Api, _key_of, local_api
from workers.commands.recommend import answer_table, reason_text
from workers.commands.train import figures_table
from workers.connectors.errors import SourceMissing
from workers.errors import ApiRefused, ApiUnavailable, JobsUnavailable
from workers.intake.errors import StreamFull
from workers.local.errors import FolderHeld

HEAVY = ("torch", "pandas", "neo4j", "celery", "numpy", "flask")


def test_help_imports_nothing_heavy_and_lists_every_command() -> None:
    """Half a second is all that help may take, and drivers alone take longer."""
    script = (
        "import sys, workers.commands.main as door\n"
        "from click.testing import CliRunner\n"
        "print(CliRunner().invoke(door.cli, ['--help']).output)\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    began = time.monotonic()
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert time.monotonic() - began < 5, "even a busy machine is not that slow"
    assert "HEAVY []" in found.stdout
    assert all(name in found.stdout for name in door.COMMANDS)


@pytest.mark.parametrize("name", list(door.COMMANDS))
def test_every_command_of_the_table_is_there(name: str) -> None:
    """A name leads to a command that says the same of itself, and help needs no services."""
    found = CliRunner().invoke(door.cli, [name, "--help"])
    assert found.exit_code == 0, found.output
    assert "Usage:" in found.output


def test_an_unknown_command_is_a_matter_of_usage() -> None:
    """Exit code 2, as for every wrong call."""
    assert CliRunner().invoke(door.cli, ["nothing-like-that"]).exit_code == 2


def ended(monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None]) -> int:
    """The exit code of the program when a command fails like that."""

    def run(**_: object) -> None:
        fail()

    monkeypatch.setattr(door.cli, "main", run)
    with pytest.raises(SystemExit) as stopped:
        door.main()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


@pytest.mark.parametrize(
    "error",
    [
        GraphUnavailable("the graph is away"),
        JavaMissing("there is no Java"),
        NotEnoughData("too few events", events=3),
        SourceMissing("no such folder"),
        JobsUnavailable("the broker is away"),
        StreamFull(),
        FolderHeld("in use by 12"),
    ],
)
def test_an_expected_error_is_one_sentence_and_exit_code_1(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No stack trace for what may well happen."""

    def fail() -> None:
        raise error

    assert ended(monkeypatch, fail) == 1
    said = capsys.readouterr().err
    assert said == f"Error: {error}\n"


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody expects keeps its trace."""

    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(door.cli, "main", lambda **_: fail())
    with pytest.raises(ZeroDivisionError):
        door.main()


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells expect it."""

    def fail() -> None:
        raise click.Abort

    assert ended(monkeypatch, fail) == 130


def test_a_missing_setting_is_named_without_its_neighbours_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence says which variable; no value is printed."""
    from workers.settings import JobSettings

    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("SHOPGRAPH_RUN_ATTEMPTS", "geheim")

    assert ended(monkeypatch, lambda: JobSettings() and None) == 1
    said = capsys.readouterr().err
    assert "REDIS_URL" in said
    assert "RUN_ATTEMPTS" in said
    assert "geheim" not in said


def test_the_key_of_a_scope_is_found_and_a_missing_scope_is_said() -> None:
    """Keys are listed as scope, name and key; a key may hold colons."""
    listed = "browser:web:aaa, server:shop:b:b,admin:ops:ccc"
    assert _key_of(listed, "server") == "b:b"
    with pytest.raises(ApiRefused, match="scope server"):
        _key_of("admin:ops:ccc", "server")


def test_an_api_that_is_away_is_one_sentence() -> None:
    """It names the address and the command that starts it; never the key."""
    with pytest.raises(ApiUnavailable, match="shopgraph up") as said:
        Api("http://127.0.0.1:9", SecretStr("geheim")).get("/v1/recommendations")
    assert "geheim" not in str(said.value)


def test_only_addresses_of_http_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is no API."""
    monkeypatch.setenv("SHOPGRAPH_API_URL", "file:///etc/passwd")
    monkeypatch.setenv("SHOPGRAPH_API_KEYS", "server:shop:key")
    with pytest.raises(ApiUnavailable, match="http"):
        local_api()


def test_an_answer_becomes_a_table_with_its_reasons() -> None:
    """One row per item, in the order of the answer."""
    answer = {
        "level": "personal",
        "model_version": "m-1",
        "items": [
            {
                "position": 1,
                "item_id": "a",
                "score": 0.5,
                "reason": {"code": "similar_to_purchased", "path": ["you", "PURCHASED", "b"]},
            },
            {"position": 2, "item_id": "c", "score": 0.25, "reason": None},
        ],
    }
    assert answer_table(answer, "For u-1").row_count == 2
    reason = answer["items"][0]["reason"]  # type: ignore[index]
    assert reason_text(reason) == "similar_to_purchased: you → PURCHASED → b"
    assert reason_text(None) == ""


def test_the_training_table_has_its_base_rate() -> None:
    """F1 says little without the rate it was measured at."""
    metrics = {"test_base_rate": 0.02, "test_pairs": 1000.0, "test_positives": 20.0}
    metrics |= {"test_paper_ap": 0.2, "test_paper_f1": 0.3, "test_popularity_ap": 0.1}
    shown = figures_table(metrics)
    assert "base rate 0.0200" in str(shown.title)
    assert shown.row_count == 2

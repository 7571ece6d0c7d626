"""The rules of the house that no import contract can state."""

import re
import tomllib
from pathlib import Path

import pytest

from backend.settings import WebSettings
from graph.settings import GraphSettings
from workers.connectors.robot.settings import RobotSettings
from workers.connectors.settings import ConnectorSettings
from workers.ingest.settings import IngestSettings
from workers.intake.settings import IntakeSettings
from workers.local.settings import LocalSettings, Ports
from workers.privacy.settings import PrivacySettings
from workers.quality.settings import QualitySettings
from workers.settings import JobSettings, ScheduleSettings

ROOT = Path(__file__).parents[2]
FLOORS = ("backend", "graph", "ml", "workers")
CYPHER = re.compile(r"\b(MATCH|MERGE|UNWIND|DETACH DELETE)\b ?[(\[$]")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("path", sources("backend", "ml", "workers"), ids=str)
def test_cypher_stands_on_the_graph_floor_only(path: Path) -> None:
    """Whoever looks for a query finds it in one folder."""
    assert not CYPHER.search(path.read_text())


def test_every_module_says_what_it_is() -> None:
    """A module that holds code opens with a docstring."""
    silent = [
        str(path)
        for path in sources(*FLOORS)
        if path.read_text().strip() and not path.read_text().lstrip().startswith(('"""', 'r"""'))
    ]
    assert silent == []


def test_every_runtime_dependency_has_an_exact_version() -> None:
    """A fresh environment is the one everything was tried with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    pinned = {
        re.split(r"==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    names = {re.split(r"[\[<>=~! ]", name)[0].lower().replace("_", "-") for name in wanted}
    assert names - pinned == {project["name"]}, "one extra includes another"


def test_the_constraints_hold_no_address() -> None:
    """Where packages come from is the reader's own business."""
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    assert "@" not in text


SETTINGS = (
    GraphSettings,
    WebSettings,
    IntakeSettings,
    IngestSettings,
    JobSettings,
    ScheduleSettings,
    ConnectorSettings,
    LocalSettings,
    RobotSettings,
    PrivacySettings,
    Ports,
    QualitySettings,
)


def variables() -> set[str]:
    """The environment variables that the settings classes read."""
    return {
        str(field.validation_alias or f"{kind.model_config.get('env_prefix', '')}{name}".upper())
        for kind in SETTINGS
        for name, field in kind.model_fields.items()
    }


@pytest.mark.parametrize("name", [".env.example", "README.md"])
def test_every_setting_is_documented(name: str) -> None:
    """A setting has a line in the example file and a row in the README."""
    text = (ROOT / name).read_text()
    assert {variable for variable in variables() if variable not in text} == set()

"""The rules of the house that no import contract can state."""

import re
import tomllib
from pathlib import Path

import pytest

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
    assert names - pinned == set()


def test_the_constraints_hold_no_address() -> None:
    """Where packages come from is the reader's own business."""
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    assert "@" not in text


def test_every_setting_is_in_the_example_file() -> None:
    """A setting that the code reads has a line in ``.env.example``."""
    named = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
    read: set[str] = set()
    for path in sources(*FLOORS):
        read |= set(re.findall(r"\"((?:SHOPGRAPH|NEO4J|REDIS)_[A-Z0-9_]+)\"", path.read_text()))
    read = {name for name in read if not name.endswith("_")}
    assert read - named == set()

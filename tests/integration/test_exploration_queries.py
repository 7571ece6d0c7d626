"""The queries that we ship for Neo4j Browser are ones that our graph understands."""

import html
import re
from pathlib import Path

import pytest
from neo4j import ManagedTransaction

from graph.client import Graph
from tests import shop

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "browser"
FILES = sorted((FOLDER / "queries").rglob("*.cypher"))
GUIDE = re.findall(r"```cypher\n(.*?)```", (FOLDER / "guide.md").read_text(), re.DOTALL)
PARAMETERS = {"user_id": str(shop.person(1)), "item_id": "item-1", "campaign_id": "18"}


def run(tx: ManagedTransaction, query: str) -> int:
    """Run a query of the folder; how many rows it has."""
    # What the folder holds is ours, though no literal.
    return len(list(tx.run(query, PARAMETERS)))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_favourite_runs_and_its_first_line_is_its_title(graph: Graph, path: Path) -> None:
    """Browser takes the first comment as the name."""
    text = path.read_text()
    assert text.startswith("// ")
    shop.fill(graph, shop.checkerboard(people=3, days=3))
    graph.read(run, text)


@pytest.mark.parametrize("query", GUIDE, ids=range(len(GUIDE)))
def test_a_query_of_the_guide_runs(graph: Graph, query: str) -> None:
    """Whoever clicks gets an answer, if an empty one."""
    shop.fill(graph, shop.checkerboard(people=3, days=3))
    graph.read(run, query)


def test_both_forms_of_the_guide_hold_the_same_queries() -> None:
    """The Markdown and the HTML are one tour."""
    blocks = re.findall(r"<pre[^>]*>(.*?)</pre>", (FOLDER / "guide.html").read_text(), re.DOTALL)
    assert [html.unescape(block).strip() for block in blocks] == [one.strip() for one in GUIDE]

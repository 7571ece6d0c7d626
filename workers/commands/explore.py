"""``shopgraph explore``: where to look at the graph in Neo4j Browser."""

import os
from pathlib import Path

import click

from workers.commands.api import folder_port
from workers.commands.output import console, print_json
from workers.local import state
from workers.local.settings import Ports


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The addresses as JSON.")
def explore(as_json: bool) -> None:
    """Say where to look at the graph in Neo4j Browser."""
    found = addresses()
    if as_json:
        print_json(found)
        return
    for line in sentences(found):
        console.print(line, soft_wrap=True)


def addresses() -> dict[str, str]:
    """Browser, login, guide and style of this data folder."""
    folder = state.home()
    services = state.read_state(folder)
    ports = Ports()
    http = services.http_port if services and services.http_port else ports.http_port
    bolt = services.neo4j.port if services and services.neo4j else ports.bolt_port
    files = f"http://localhost:{folder_port()}/browser"
    return {
        "browser": f"http://localhost:{http}/browser/?dbms=bolt://neo4j@localhost:{bolt}&db=neo4j",
        "guided": (
            f"http://localhost:{http}/browser/?dbms=bolt://neo4j@localhost:{bolt}&db=neo4j"
            f"&cmd=play&arg={files}/guide.html"
        ),
        "user": os.environ.get("NEO4J_USER", "neo4j"),
        "password_in": str(folder / "secrets.json"),
        "guide": f"{files}/guide.md",
        "style": f"{files}/graph.grass",
        "queries": str(Path("docs") / "browser" / "queries"),
    }


def sentences(found: dict[str, str]) -> list[str]:
    """What a person needs to read, one line per step."""
    return [
        f"Neo4j Browser:  {found['browser']}",
        f"Login:          user {found['user']}, password: neo4j_password in {found['password_in']}",
        f"Guide:          :guide {found['guide']}   (needs the API: `shopgraph up`)",
        f"With the guide: {found['guided']}",
        f"Style:          :style {found['style']}   or drag docs/browser/graph.grass in",
        f"Queries:        drag the files of {found['queries']} in; they become favourites",
    ]

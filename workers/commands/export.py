"""``shopgraph export``: data on its way out."""

import time
from pathlib import Path

import click
import orjson

from graph import tombstones
from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import console
from workers.intake.settings import IntakeSettings
from workers.local.secrets import write_private
from workers.privacy.portable import export as lines_of


@click.group()
def export() -> None:
    """Write data into files."""


@export.command()
@click.argument("person_id", metavar="USER_ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--anonymous", is_flag=True, help="The id is a visitor's.")
def person(person_id: str, file: Path, anonymous: bool) -> None:
    """
    Write all that is keyed to a person into FILE, as JSON lines for the owner's eyes.

    'shopgraph import jsonl' takes its events in elsewhere.
    """
    if file.exists():
        raise click.ClickException(f"{file} exists; name another file")
    pseudonyms = IntakeSettings().pseudonyms()
    graph = Graph(GraphSettings())
    try:
        pseudonyms.know_returned(graph.read(tombstones.generations))
        known = pseudonyms.visitor(person_id) if anonymous else pseudonyms.customer(person_id)[0]
        now_ms = time.time_ns() // 1_000_000
        rows = lines_of(
            graph.read, graph.write, pseudonyms, known,
            raw_id=person_id, by="command line", now_ms=now_ms,
        )  # fmt: skip
        told = [orjson.dumps(row).decode() for row in rows]
    finally:
        graph.close()
    write_private(file, "".join(f"{line}\n" for line in told))
    console.print(f"{len(told):,} lines in {file}.")

"""``shopgraph export``: the graph, or a person's data, in files, while everything runs."""

from pathlib import Path

import click
import orjson

from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import bar, console
from workers.graph_files.export import LINES
from workers.graph_files.export import export as write_graph
from workers.graph_files.folder import GraphFile
from workers.intake.settings import IntakeSettings
from workers.leases import now_ms
from workers.local.secrets import write_private
from workers.privacy.build import known_as
from workers.privacy.portable import export as lines_of


@click.group()
def export() -> None:
    """Write what is stored into files, while everything runs."""


@export.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--without-vectors", is_flag=True, help="Leave the embeddings out.")
@click.option(
    "--lines", default=LINES, show_default=True, type=click.IntRange(1_000), help="A file."
)
def graph(folder: Path, without_vectors: bool, lines: int) -> None:
    """
    Write every node and edge into FOLDER; `shopgraph restore FOLDER` puts them back.

    One that was cut short goes on at the last whole file. Keys, the event stream and the files of
    models are not in it.
    """
    source = Graph(GraphSettings())
    with bar() as progress:
        task = progress.add_task("lines", total=None)

        def report(file: GraphFile) -> None:
            progress.update(task, description=file.of, advance=file.lines)

        try:
            manifest = write_graph(
                source,
                folder,
                now_ms=now_ms(),
                with_vectors=not without_vectors,
                lines=lines,
                report=report,
            )
        finally:
            source.close()
    size = sum((folder / file.name).stat().st_size for file in manifest.files)
    console.print(
        f"{folder}: {len(manifest.files)} files, {size / 2**20:,.1f} MiB, events up to number"
        f" {manifest.last_seq:,}. Keep secrets.json elsewhere."
    )


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
    source = Graph(GraphSettings())
    try:
        known = known_as(source, pseudonyms, person_id, is_visitor=anonymous)
        rows = lines_of(
            source.read, source.write, pseudonyms, known,
            raw_id=person_id, by="command line", now_ms=now_ms(),
        )  # fmt: skip
        told = [orjson.dumps(row).decode() for row in rows]
    finally:
        source.close()
    write_private(file, "".join(f"{line}\n" for line in told))
    console.print(f"{len(told):,} lines in {file}.")

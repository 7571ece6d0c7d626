"""``shopgraph export``: the graph in files, written while everything runs."""

from pathlib import Path

import click

from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import bar, console
from workers.graph_files.export import LINES, export
from workers.graph_files.folder import GraphFile
from workers.leases import now_ms


@click.group(name="export")
def export_() -> None:
    """Write what is stored into files, while everything runs."""


@export_.command()
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
            manifest = export(
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

"""``shopgraph backup`` and ``restore``: the stopped services' data, or a graph while it runs."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from graph.client import Graph
from graph.domain.ids import UserId
from graph.settings import GraphSettings
from workers.commands.main import enter
from workers.commands.migrate import this_process
from workers.commands.output import bar, console
from workers.graph_files.restore import Restored
from workers.graph_files.restore import restore as restore_graph
from workers.intake.settings import IntakeSettings
from workers.leases import now_ms
from workers.local import backup as backups
from workers.local import home
from workers.privacy.build import erasures_of
from workers.privacy.erasure import apply_tombstones
from workers.privacy.older_folder import restore_again
from workers.settings import JobSettings


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """
    Write graph, stream and models into FILE; the services must be stopped.

    The keys in secrets.json are left out: keep them, and keep them elsewhere. `shopgraph export
    graph` writes the graph alone, while everything runs.
    """
    backups.back_up(home(), file, now_ms=time.time_ns() // 1_000_000)
    console.print(f"{file}: {file.stat().st_size / 2**20:,.1f} MiB. Keep secrets.json elsewhere.")


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path), metavar="FILE|FOLDER")
@click.option("--replace", is_flag=True, help="Throw away the graph that is there.")
@click.option(
    "--erased",
    type=click.File(encoding="utf-8"),
    help="With FOLDER: pseudonyms of people to erase again, one a line.",
)
def restore(path: Path, replace: bool, erased: TextIO | None) -> None:
    """
    Put back what `shopgraph backup` or `shopgraph export graph` wrote.

    FILE is a backup: graph, stream and models; the services must be stopped. FOLDER is an exported
    graph: the services run, `shopgraph up` and all it starts do not. People who have a tombstone,
    here or in the folder, are erased again before anything is served.
    """
    if path.is_dir():
        _say(_into_graph(path, replace, [] if erased is None else erased.read().split()))
        return
    if erased is not None:
        raise click.UsageError("--erased goes with a FOLDER")
    put_back, people = restore_again(home(), path, replace=replace, owner=this_process())
    console.print(f"The data of {_when(put_back.made_ms)} is in {home()}.")
    _say_erased(people)


def _into_graph(folder: Path, replace: bool, erased: list[str]) -> Restored:
    enter()
    graph, intake = Graph(GraphSettings()), IntakeSettings()
    erasing = erasures_of(graph, intake.redis_url, intake.pseudonyms(), JobSettings().model_store)
    with bar() as progress:
        task = progress.add_task("checking", total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, description="lines", completed=done, total=total)

        try:
            return restore_graph(
                graph,
                folder,
                owner=this_process(),
                now_ms=now_ms(),
                erase_again=lambda restored, also: apply_tombstones(erasing, restored, also=also),
                erased=[UserId(one) for one in erased],
                replace_graph=replace,
                report=report,
            )
        finally:
            graph.close()


def _say(restored: Restored) -> None:
    manifest = restored.manifest
    edges = sum(manifest.relationships.values())
    nodes = sum(file.lines for file in manifest.files) - edges
    made = _when(manifest.made_ms)
    console.print(f"The graph of {made} is back: {nodes:,} nodes, {edges:,} edges.")
    for type_, n in restored.left_out.items():
        console.print(f"  {n:,} edges {type_} were left out: an end had been removed meanwhile.")
    _say_erased(restored.erased)


def _say_erased(people: int) -> None:
    if people:
        console.print(f"  {people:,} people were erased again.")


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="seconds")

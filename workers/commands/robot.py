"""``shopgraph robot``: public pages into rows of low trust; how well that works."""

from datetime import UTC, datetime
from pathlib import Path

import click

from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import console, print_json, table
from workers.connectors.consumer_process import while_ingesting
from workers.connectors.files.log_file import LogFile
from workers.connectors.files.mapping import layout_of
from workers.connectors.imports import Imported, ImportRun
from workers.connectors.rejects import RejectFile
from workers.connectors.robot.door import LowTrustDoor
from workers.connectors.robot.errors import RobotOff
from workers.connectors.robot.health import health
from workers.connectors.robot.judging import Judgement, judge, read_sample
from workers.connectors.robot.records import Collected, Records, every
from workers.connectors.robot.settings import RobotSettings
from workers.connectors.robot.site import Site, read_site
from workers.intake.settings import IntakeSettings
from workers.intake.stream import EventStream
from workers.leases import now_ms
from workers.local import home


@click.group()
def robot() -> None:
    """Collect public pages; it is off unless SHOPGRAPH_ROBOT_HOSTS names hosts."""


@robot.command(name="collect")
@click.argument("site_file", type=click.Path(dir_okay=False, path_type=Path), metavar="SITE.toml")
@click.option("--only-rows", is_flag=True, help="Keep the rows as CSV; store no events.")
@click.option("--keep-pages", is_flag=True, help="Archive every page, for somebody to label.")
def collect_(site_file: Path, only_rows: bool, keep_pages: bool) -> None:
    """
    Open the pages of a site and store their rows, marked as low trust.

    A page that is blocked or has changed ends the run with an error, and nothing of it is kept.
    """
    settings, site = RobotSettings(), read_site(site_file)
    settings.must_be_on()
    try:  # only whoever collects needs the extra
        from workers.connectors.robot.running import run
    except ModuleNotFoundError as error:
        raise RobotOff("the robot needs its extra: pip install 'shopgraph[collect]'") from error
    records = Records(_folder(), site.name)
    done = run(site, records, settings, keeps_pages=keep_pages)
    _say(done, records, None if only_rows else _stored(site, records))


@robot.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show how the newest run of each site ended, and what each selector still finds."""
    found = {one.name: (health(one.visits()), one.judged()) for one in every(_folder())}
    if as_json:
        print_json({name: {"health": one, "judged": told} for name, (one, told) in found.items()})
        return
    for name, (newest, judged) in found.items():
        if newest is None:
            continue
        when = datetime.fromtimestamp(newest.run_ms / 1_000, UTC).isoformat(timespec="seconds")
        how = f"{newest.verdict} {newest.reason}".strip()
        title = f"{name}: {when}, {newest.pages} pages, {newest.rows} rows, {how}"
        rows = [
            (one.selector, one.now, one.before, "falls" if one.falls else "")
            for one in newest.selectors
        ]
        console.print(table(title, ("selector", "share now", "share before", ""), rows))
        console.print("  accuracy: " + ("not judged yet" if judged is None else judged["sentence"]))
    if not found:
        console.print("Nothing was collected yet.")


@robot.command(name="judge")
@click.argument("sample", type=click.Path(dir_okay=False, path_type=Path), metavar="SAMPLE.csv")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def judge_(sample: Path, as_json: bool) -> None:
    """
    Measure the rows of the newest good run against rows that a person labelled.

    SAMPLE.csv has the columns site, url, row (its place on the page, from 1), and fields.
    """
    found = []
    for name, labelled in read_sample(sample).items():
        records = Records(_folder(), name)
        judgement = judge(name, labelled, list(records.kept()))
        told = _told(judgement)
        records.note_judgement(told)
        found.append(told)
        if not as_json:
            rows = [(one.field, one.n, one.right, one.share, *one.interval)
                    for one in judgement.fields]  # fmt: skip
            columns = ("field", "labelled", "right", "share", "from", "to")
            missed = f"{judgement.missing} rows missing, {judgement.extra} not labelled"
            console.print(table(f"{name}: {missed}", columns, rows))
    if as_json:
        print_json(found)


def _folder() -> Path:
    return home() / "robot"


def _stored(site: Site, records: Records) -> Imported | None:
    """Bring the rows in as any file, through the door that marks them."""
    mapping = site.mapping()
    if mapping is None:
        return None
    settings, graph = IntakeSettings(), Graph(GraphSettings())
    source = LogFile(records.rows_file, layout_of(mapping, title=site.name))
    try:
        with while_ingesting(graph):
            stream = EventStream(settings.redis_url)
            run = ImportRun(LowTrustDoor(settings.pseudonyms()), stream, graph)
            with RejectFile(records.folder / "rejects.jsonl", resumed=False) as rejects:
                done = run.send(source, rejects, after=run.resume_after(source))
            run.drain()
    finally:
        graph.close()
    return done


def _say(done: Collected, records: Records, stored: Imported | None) -> None:
    console.print(f"{done.pages:,} pages, {done.rows:,} rows: {records.rows_file}")
    if stored is not None:
        console.print(f"{stored.events:,} events went to the graph, marked as low trust.")
        if stored.rejected:
            console.print(
                f"{stored.rejected:,} rows were not taken: {records.folder}/rejects.jsonl"
            )


def _told(judgement: Judgement) -> dict[str, object]:
    worst = min(judgement.fields, key=lambda one: one.share)
    low, high = worst.interval
    return {
        "at_ms": now_ms(),
        "site": judgement.site,
        "labelled": judgement.labelled,
        "missing": judgement.missing,
        "extra": judgement.extra,
        "fields": {
            one.field: {
                "n": one.n,
                "right": one.right,
                "share": one.share,
                "interval": one.interval,
            }
            for one in judgement.fields
        },
        "sentence": (
            f"{100 * worst.share:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {worst.n} labelled"
            f" rows in the worst field, {worst.field}"
        ),
    }

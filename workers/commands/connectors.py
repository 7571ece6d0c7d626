"""``shopgraph connectors``: which are set up, how far they are, and one run by hand."""

from typing import Any

import click
from rich.table import Table

from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import console, print_json
from workers.connectors import registry
from workers.connectors.connector import iso
from workers.connectors.pulling import Pulled
from workers.connectors.running import at_work
from workers.connectors.settings import ConnectorSettings
from workers.intake.bookmarks import Bookmarks, Progress
from workers.intake.settings import IntakeSettings
from workers.intake.times import parse_time
from workers.leases import now_ms

_as_json = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group()
def connectors() -> None:
    """Bring in orders and refunds of platforms."""


@connectors.command(name="list")
@_as_json
def list_(as_json: bool) -> None:
    """Which connectors are set up."""
    names = sorted(registry.set_up(ConnectorSettings()))
    if as_json:
        print_json(names)
        return
    for name in names:
        console.print(name, highlight=False)
    if not names:
        console.print("No connector is set up: see docs/connectors.md.")


@connectors.command()
@_as_json
def status(as_json: bool) -> None:
    """How far each connector is, and what hinders it."""
    known = Bookmarks(IntakeSettings().redis_url).all()
    names = sorted({*registry.set_up(ConnectorSettings()), *known})
    rows = [_row(name, known.get(name), now_ms()) for name in names]
    if as_json:
        print_json(rows)
        return
    table = Table("connector", "everything until", "gap, minutes", "failures", "problem")
    for row in rows:
        table.add_row(*("-" if row[column] is None else str(row[column]) for column in _COLUMNS))
    console.print(table)


@connectors.command()
@click.argument("name")
@click.option("--since", help="Beginning of a part of the past, ISO-8601 with zone.")
@click.option("--until", help="Its end; by default now.")
@_as_json
def run(name: str, since: str | None, until: str | None, as_json: bool) -> None:
    """
    Bring in what NAME changed since the last time.

    With --since that part of the past is read once more, and the bookmark stays where it is.
    """
    if until is not None and since is None:
        raise click.UsageError("--until needs --since")
    since_ms, until_ms = _moment("--since", since), _moment("--until", until)
    graph = Graph(GraphSettings())
    try:
        with at_work(name, graph, ConnectorSettings(), IntakeSettings()) as pull:
            if since_ms is None:
                done = pull.run()
            else:
                done = pull.between(since_ms, now_ms() if until_ms is None else until_ms)
    finally:
        graph.close()
    _say(done, as_json)


_COLUMNS = ("connector", "until", "gap_minutes", "failures", "problem")


def _row(name: str, progress: Progress | None, now: int) -> dict[str, Any]:
    row: dict[str, Any] = {"connector": name, **dict.fromkeys(_COLUMNS[1:])}
    if progress is None:
        return row | {"problem": "has not run yet"}
    return row | {
        "until": iso(progress.until_ms),
        "gap_minutes": round(progress.gap_minutes(now), 1),
        "failures": progress.failures,
        "problem": progress.problem,
        "not_before": iso(progress.not_before_ms) if progress.not_before_ms > now else None,
    }


def _moment(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from error


def _say(done: Pulled, as_json: bool) -> None:
    if as_json:
        print_json({"windows": done.windows, "rows": dict(done.rows)})
        return
    console.print(f"{done.windows:,} windows were closed.")
    for kind, count in done.rows.most_common():
        console.print(f"  {kind}: {count:,}")

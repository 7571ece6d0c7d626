"""``shopgraph benchmark``: figures of this machine beside the bars to hold."""

import platform
import sys
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

import click
import psutil

from graph import pulls, users
from graph.client import Graph
from graph.domain.ids import UserId
from graph.settings import GraphSettings
from workers.benchmarks.answers import answer_figures, questions
from workers.benchmarks.dense import dense_figures
from workers.benchmarks.figures import Figure, as_json, show
from workers.benchmarks.intake import intake_figures
from workers.benchmarks.load import Target
from workers.benchmarks.pulls import pull_figures
from workers.commands.api import local_api
from workers.commands.main import enter
from workers.commands.output import console, errors
from workers.intake.settings import IntakeSettings

PEOPLE = 2_000


@click.group()
def benchmark() -> None:
    """Print the speed of this machine; exit code 1 if a figure falls short of its bar."""


@benchmark.command()
@click.option("--json", "is_json", is_flag=True, help="print JSON")
def ingest(is_json: bool) -> None:
    """Door, stream and graph, on servers of its own and made-up views."""
    _print("ingest", intake_figures(_report), is_json=is_json)


@benchmark.command()
@click.option("--json", "is_json", is_flag=True, help="print JSON")
def dense(is_json: bool) -> None:
    """Writes to a best-seller and to a busy person beside a quiet pair, on a server of its own."""
    _print("dense", dense_figures(_report), is_json=is_json)


@benchmark.command()
@click.option("--json", "is_json", is_flag=True, help="print JSON")
def pull(is_json: bool) -> None:
    """Edges out of the running graph into columns."""
    enter()
    graph = Graph(GraphSettings())
    _print("pull", pull_figures(graph, _report), is_json=is_json)
    graph.close()


@benchmark.command()
@click.option("--events", type=click.IntRange(min=64_000), default=1_000_000, show_default=True)
@click.option("--json", "is_json", is_flag=True, help="print JSON")
def train(events: int, is_json: bool) -> None:
    """A made-up log to a model, one epoch, at a sixteenth, a quarter and the whole of its size."""
    # Only whoever trains needs torch.
    from workers.benchmarks.training import training_figures

    _print("train", training_figures(events, _report), is_json=is_json)


@benchmark.command()
@click.option("--events", type=click.IntRange(min=1_000), default=1_000_000, show_default=True)
@click.option("--json", "is_json", is_flag=True, help="print JSON")
def backup(events: int, is_json: bool) -> None:
    """A made-up graph into files while ingest runs, and back into a second server."""
    # Only whoever makes up a shop needs torch.
    from workers.benchmarks.graph_files import graph_files_figures

    _print("backup", graph_files_figures(events, _report), is_json=is_json)


@benchmark.command()
@click.option("--items", type=click.IntRange(min=1_000), help="size of a shop of its own")
@click.option("--users", type=click.IntRange(min=100), default=50_000, show_default=True)
@click.option("--events", type=click.IntRange(min=10_000), default=1_000_000, show_default=True)
@click.option("--json", "is_json", is_flag=True, help="print JSON")
def serve(items: int | None, users: int, events: int, is_json: bool) -> None:
    """
    Answers of the running API, for the people and items of the running graph.

    With --items it loads, trains and asks a made-up shop of that size, on servers of its own.
    """
    if items is not None:
        # Only whoever trains needs torch.
        from workers.benchmarks.serving import Size, serving_figures

        _print("serve", serving_figures(Size(items, users, events), _report), is_json=is_json)
        return
    enter()
    api = local_api(scope="server")
    address = urllib.parse.urlsplit(api.url)
    target = Target(address.hostname or "127.0.0.1", address.port or 80, api.key.get_secret_value())
    graph = Graph(GraphSettings())
    asked = questions(_people(graph), _items(graph))
    graph.close()
    _print("serve", answer_figures(target, asked, _report), is_json=is_json)


@benchmark.command()
@click.option("--swaps", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--json", "is_json", is_flag=True, help="print JSON")
def change(swaps: int, is_json: bool) -> None:
    """How soon a step changes a list, and models swapped under load, on servers of its own."""
    # Only whoever trains needs torch.
    from workers.benchmarks.changing import changing_figures

    _print("change", changing_figures(swaps, _report), is_json=is_json)


@benchmark.command()
@click.option("--minutes", type=click.FloatRange(min=0.5), default=20.0, show_default=True)
@click.option("--json", "is_json", is_flag=True, help="print JSON")
def soak(minutes: float, is_json: bool) -> None:
    """Events, lists, refreshes and a training all at once for a while, on servers of its own."""
    # Only whoever trains needs torch.
    from workers.benchmarks.soak import soak_figures

    _print("soak", soak_figures(minutes, _report), is_json=is_json)


@benchmark.command()
@click.argument("log", type=click.Choice(["journey", "taobao"]))
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--questions", type=click.IntRange(min=100), default=2_000, show_default=True)
@click.option("--json", "is_json", is_flag=True, help="print JSON")
def replay(log: str, data: Path | None, questions: int, is_json: bool) -> None:
    """
    Live through the last tenth of a real log, on servers of its own.

    Complete Journey comes with its package; taobao needs --data, the folder of public data.
    """
    # Only whoever trains needs torch.
    from workers.benchmarks.replay import replay_figures
    from workers.benchmarks.replayed_logs import LOGS

    if log == "taobao" and data is None:
        raise click.UsageError("taobao needs --data")
    chosen = LOGS[log]
    found = chosen.load(data or Path())
    figures = replay_figures(found, questions, _report, options=chosen.options)
    _print("replay", figures, is_json=is_json)


def _people(graph: Graph) -> list[str]:
    pseudonyms = IntakeSettings().pseudonyms()
    page = graph.read(pulls.users, after_idx=0, page=PEOPLE)
    refs = graph.read(users.refs, [UserId(user_id) for user_id in page.user_id])
    return [pseudonyms.reveal(ref) for ref in refs.values() if ref is not None]


def _items(graph: Graph) -> list[str]:
    return list(graph.read(pulls.items, after_idx=0, page=PEOPLE).item_id)


def _print(name: str, figures: Iterable[Figure], *, is_json: bool) -> None:
    measured = list(figures)
    if is_json:
        click.echo(as_json(measured))
    else:
        memory = psutil.virtual_memory().total / 2**30
        machine = (
            f"{psutil.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
        )
        show(measured, title=f"{name} on {machine}", console=console)
    if not all(figure.holds for figure in measured):
        sys.exit(1)


def _report(what: str) -> None:
    errors.print(f"measuring: {what}")

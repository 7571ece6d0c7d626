"""``shopgraph retention``: take away what was kept long enough, now."""

import click

from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import console, print_json, table
from workers.intake.deadletters import DeadLetters
from workers.intake.settings import StreamSettings
from workers.privacy.retention import Retention
from workers.privacy.settings import PrivacySettings
from workers.settings import JobSettings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def retention(as_json: bool) -> None:
    """Take away what was kept long enough, as the schedule does nightly; print how much."""
    stream = StreamSettings()
    letters = DeadLetters(stream.redis_url, stream.keeping())
    graph = Graph(GraphSettings())
    try:
        store = JobSettings().model_store
        report = Retention(graph, letters, store, PrivacySettings()).run(by="command line")
    finally:
        graph.close()
    if as_json:
        print_json(report)
        return
    console.print(table("Kept long enough", ("what", "taken away"), list(report.items())))

"""``shopgraph ingest``: the process that moves events from the stream into the graph."""

import click

from workers import logs
from workers.ingest.process import run
from workers.intake.settings import StreamSettings


@click.command()
def ingest() -> None:
    """Move events from the stream to the graph until stopped; a second one stands by."""
    logs.configure()
    run(redis_url=StreamSettings().redis_url)

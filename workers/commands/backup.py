"""``shopgraph backup`` and ``restore``: the data of one machine's stopped services."""

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from workers.commands.output import console
from workers.local import backup as backups
from workers.local import home

_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@_file
def backup(file: Path) -> None:
    """
    Write graph, stream and models into FILE; the services must be stopped.

    The keys in secrets.json are left out: keep them, and keep them elsewhere.
    """
    backups.back_up(home(), file, now_ms=time.time_ns() // 1_000_000)
    console.print(f"{file}: {file.stat().st_size / 2**20:,.1f} MiB. Keep secrets.json elsewhere.")


@click.command()
@_file
@click.option("--replace", is_flag=True, help="Throw away the graph that is there.")
def restore(file: Path, replace: bool) -> None:
    """Put FILE in place of graph, stream and models; the services must be stopped."""
    put_back = backups.restore(home(), file, replace=replace)
    made = datetime.fromtimestamp(put_back.made_ms / 1_000, UTC).isoformat(timespec="seconds")
    console.print(f"The data of {made} is in {home()}.")

"""``shopgraph migrate``: constraints and indexes."""

import os
import socket

import click

from graph import migrations
from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import console, print_json, table
from workers.leases import now_ms


@click.command()
@click.option("--status", "mode", flag_value="status", help="Say what is applied and what is not.")
@click.option("--dry-run", "mode", flag_value="dry-run", help="Say what would be applied.")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of text.")
def migrate(mode: str | None, as_json: bool) -> None:
    """Bring constraints and indexes up to date."""
    graph = Graph(GraphSettings())
    try:
        if mode == "status":
            _print_status(graph, as_json=as_json)
            return
        if mode == "dry-run":
            found, verb = migrations.pending(graph), "would be applied"
        else:
            found, verb = apply(graph), "applied"
    finally:
        graph.close()
    if as_json:
        print_json([one.source for one in found])
        return
    for one in found:
        console.print(f"{verb}: {one.source}")
    if not found:
        console.print("The schema is up to date.")


def apply(graph: Graph) -> list[migrations.Migration]:
    """Apply what is pending, as this process."""
    return migrations.apply(graph, owner=this_process(), now_ms=now_ms())


def this_process() -> str:
    """What this process is known by in the books."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _print_status(graph: Graph, *, as_json: bool) -> None:
    rows = migrations.status(graph)
    if as_json:
        print_json([{"name": row.migration.source, "applied_at": row.applied_at} for row in rows])
        return
    console.print(
        table(
            "Migrations",
            ("file", "is applied"),
            [(row.migration.source, row.applied_at is not None) for row in rows],
        )
    )

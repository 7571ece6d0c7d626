"""``shopgraph erase``: take a person out of every store, and print the receipt."""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import console, print_json, table
from workers.intake.settings import IntakeSettings
from workers.privacy.build import erasures_of, known_as
from workers.settings import JobSettings


@click.command()
@click.argument("person_id", metavar="USER_ID")
@click.option("--anonymous", is_flag=True, help="The id is a visitor's.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
def erase(person_id: str, anonymous: bool, yes: bool, as_json: bool) -> None:
    """
    Erase a person: graph, stream, dead letters, caches, models' rows, for good.

    USER_ID is the shop's own id. Late events of the person are refused from then on.
    """
    if not yes:
        click.confirm("What is erased cannot be brought back. Erase?", abort=True, err=True)
    settings = IntakeSettings()
    graph, pseudonyms = Graph(GraphSettings()), settings.pseudonyms()
    try:
        known = known_as(graph, pseudonyms, person_id, is_visitor=anonymous)
        erasing = erasures_of(graph, settings.redis_url, pseudonyms, JobSettings().model_store)
        receipt = erasing.erase(known, by="command line")
    finally:
        graph.close()
    if as_json:
        print_json(asdict(receipt))
        return
    due = datetime.fromtimestamp(receipt.retrain_by / 1_000, UTC).date()
    title = f"Receipt {receipt.receipt_id}; models without the person by {due}"
    console.print(table(title, ("what", "taken away"), sorted(receipt.counts.items())))

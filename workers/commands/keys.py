"""``shopgraph keys``: new keys for pseudonyms and encrypted ids, with the same history."""

import click
from pydantic import SecretStr

from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import console, table
from workers.intake.settings import IntakeSettings
from workers.local import home
from workers.local.holder import hold
from workers.local.secrets import add_keys, load_secrets
from workers.privacy.rotation import Rotation
from workers.settings import JobSettings


@click.group()
def keys() -> None:
    """The keys that pseudonyms are made with."""


@keys.command()
@click.option("--resume", is_flag=True, help="Make no new keys; go on with a move cut short.")
def rotate(resume: bool) -> None:
    """
    Make new keys and move everything to them; `shopgraph up` must not run, the services must.

    Where the keys come from the environment, append new ones there, behind a comma, and use
    --resume.
    """
    folder = home()
    with hold(folder, command="shopgraph keys rotate"):
        settings = IntakeSettings()
        secrets = load_secrets(folder)
        is_ours = settings.pseudonym_key.get_secret_value() == secrets.pseudonym_key
        if not resume:
            if not is_ours:
                raise click.ClickException("the keys come from the environment; use --resume")
            secrets = add_keys(folder)
        if is_ours:
            settings = settings.model_copy(
                update={
                    "pseudonym_key": SecretStr(secrets.pseudonym_key),
                    "encryption_key": SecretStr(secrets.encryption_key),
                }
            )
        graph = Graph(GraphSettings())
        try:
            store = JobSettings().model_store
            rotation = Rotation(graph, settings.redis_url, settings.pseudonyms(), store)
            moved = rotation.run(by="command line")
        finally:
            graph.close()
    console.print(table("Moved to the newest keys", ("what", "moved"), list(moved.items())))

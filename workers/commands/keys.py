"""``shopgraph keys``: new keys for pseudonyms and encrypted ids, with the same history."""

from contextlib import closing
from pathlib import Path

import click
from pydantic import SecretStr

from graph.client import Graph
from graph.settings import GraphSettings
from workers.commands.output import console, table
from workers.intake.settings import IntakeSettings
from workers.local import home
from workers.local.holder import hold
from workers.local.secrets import Secrets, add_keys, load_secrets
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
    graph = Graph(GraphSettings())
    with hold(folder, command="shopgraph keys rotate"), closing(graph):
        settings, store = IntakeSettings(), JobSettings().model_store
        if not resume:
            _refuse_keys_of_elsewhere(settings, folder)
            Rotation(graph, settings.redis_url, settings.pseudonyms(), store).check()
            settings = _with(settings, add_keys(folder))
        rotation = Rotation(graph, settings.redis_url, settings.pseudonyms(), store)
        moved = rotation.run(by="command line")
    console.print(table("Moved to the newest keys", ("what", "moved"), list(moved.items())))


def _refuse_keys_of_elsewhere(settings: IntakeSettings, folder: Path) -> None:
    if settings.pseudonym_key.get_secret_value() != load_secrets(folder).pseudonym_key:
        raise click.ClickException("the keys come from the environment; use --resume")


def _with(settings: IntakeSettings, secrets: Secrets) -> IntakeSettings:
    made = {name: SecretStr(getattr(secrets, name)) for name in ("pseudonym_key", "encryption_key")}
    return settings.model_copy(update=made)

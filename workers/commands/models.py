"""``shopgraph models``: which models there are, and which one answers."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from graph import models as store
from graph.client import Graph
from graph.domain.ids import ModelVersion
from graph.domain.models import Model, ModelStatus, is_stored
from graph.settings import GraphSettings
from ml.errors import ModelBroken
from ml.serving.store import read_card
from workers.commands.output import console, print_json, table
from workers.errors import ModelUnusable
from workers.leases import now_ms
from workers.settings import JobSettings

COLUMNS = (
    "version",
    "status",
    "slot",
    "profile",
    "champion",
    "made",
    "AP",
    "can answer",
    "reason",
)


@click.group()
def models() -> None:
    """List the models, look at one, or make one answer."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of a table.")
def list_(as_json: bool) -> None:
    """All models, newest first."""
    graph = Graph(GraphSettings())
    try:
        found = graph.read(store.all_models)
    finally:
        graph.close()
    if as_json:
        print_json([asdict(model) for model in found])
        return
    rows = [_row(model, found) for model in found]
    console.print(table("Models", COLUMNS, rows))


@models.command()
@click.argument("version")
@click.option("--json", "as_json", is_flag=True, help="JSON in place of tables.")
def show(version: str, as_json: bool) -> None:
    """What a model was made of, and how good it was found."""
    graph = Graph(GraphSettings())
    try:
        model = graph.read(store.get, ModelVersion(version))
    finally:
        graph.close()
    made_of = _made_of(model)
    if as_json:
        print_json({**asdict(model), **made_of})
        return
    for title, told in (("Model", _told(model)), *made_of.items(), ("metrics", model.metrics)):
        rows = [(name, str(value)) for name, value in told.items()]
        console.print(table(title, ("what", "value"), rows))


@models.command()
@click.argument("version")
def activate(version: str) -> None:
    """Make a model the one that answers, such as the one before after a bad one."""
    graph = Graph(GraphSettings())
    try:
        wanted = graph.read(store.get, ModelVersion(version))
        if wanted.status is not ModelStatus.LIVE:
            check(graph, wanted)
            graph.write(store.activate, wanted.version, now_ms=now_ms())
    finally:
        graph.close()
    console.print(f"{version} answers.")


def check(graph: Graph, wanted: Model) -> None:
    """
    Whether a model may answer again.

    Raises:
        ModelUnusable: it may not; the sentence says why.
    """
    if wanted.status is ModelStatus.FAILED:
        raise ModelUnusable(f"{wanted.version} is a failed model: {wanted.reason}")
    if not is_stored(wanted, graph.read(store.all_models)):
        raise ModelUnusable(f"the vectors of {wanted.version} were written over by a newer run")
    if not (JobSettings().model_store / wanted.version / "manifest.json").is_file():
        raise ModelUnusable(f"the files of {wanted.version} are gone from the model store")


def _made_of(model: Model) -> dict[str, dict[str, Any]]:
    """Settings and weights, from the files where they are still there."""
    try:
        card = read_card(JobSettings().model_store / model.version)
    except ModelBroken:
        return {}
    return {name: card[name] for name in ("behaviour_weights", "config") if name in card}


def _told(model: Model) -> dict[str, object]:
    return {name: value for name, value in asdict(model).items() if name != "metrics"}


def _row(model: Model, found: list[Model]) -> tuple[object, ...]:
    made = datetime.fromtimestamp(model.created_at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        model.version,
        model.status.value,
        model.slot.value,
        model.profile,
        model.champion,
        made,
        model.metrics.get(f"test_{model.champion}_ap"),
        is_stored(model, found),
        model.reason or "",
    )

"""``shopgraph train``: ask for a training run and follow it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

import click
from rich.progress import Progress, TaskID
from rich.table import Table

from graph.client import Graph
from graph.domain.models import Profile, TrainingRun
from graph.settings import GraphSettings
from workers.commands.output import bar, console, print_json, table
from workers.errors import NoTrainingWorker
from workers.jobs import TRAINING_QUEUE, Jobs
from workers.local.children import ending
from workers.runs import MODEL, follow, request
from workers.settings import JobSettings

WORKER = ["celery", "--app", "workers.main:app", "worker", "--queues", TRAINING_QUEUE]
WORKER += ["--pool", "prefork", "--concurrency", "1"]

FIGURES = {
    "ap": "AP",
    "auc": "AUC",
    "log_loss": "log-loss",
    "f1": "F1",
    "threshold": "threshold",
}
MODELS = {
    "stack": "trees and small networks",
    "boosted": "boosted trees on counters",
    "paper": "LSTM-ATT-GNN (paper)",
    "logistic": "logistic regression",
    "popularity": "popularity",
}


@click.command()
@click.option(
    "--profile",
    type=click.Choice([*Profile]),
    default=Profile.FUSION,
    show_default=True,
    help="paper: its model alone; fusion: with contenders, and the best one answers; renewal:"
    " no training, vectors and counters as of now and new items.",
)
@click.option("--model", help="With renewal: the model to renew, the live one by default.")
@click.option("--no-attention", is_flag=True, help="Ablation: the last state in its place.")
@click.option("--no-graph", is_flag=True, help="Ablation: without graph embeddings.")
@click.option("--force", is_flag=True, help="Also when there are no new events.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Follow the run.")
@click.option("--here", is_flag=True, help="Start a worker for this run, as a child process.")
@click.option("--json", "as_json", is_flag=True, help="The run as JSON.")
def train(
    profile: str,
    model: str | None,
    no_attention: bool,
    no_graph: bool,
    force: bool,
    wait: bool,
    here: bool,
    as_json: bool,
) -> None:
    """Train on the graph; an ablation is measured and never put to work."""
    flags = {"no_attention": no_attention, "no_graph": no_graph, "force": force}
    options: dict[str, object] = {name: True for name, is_set in flags.items() if is_set}
    if model is not None:
        if profile != Profile.RENEWAL:
            raise click.UsageError("--model goes with --profile renewal")
        options[MODEL] = model
    graph, jobs = Graph(GraphSettings()), Jobs(JobSettings().broker_url)
    try:
        if here and not wait:
            raise click.UsageError("--here needs --wait: the worker ends with this command")
        with own_worker() if here else _somebody(jobs) as worker:
            run, is_new = request(graph, jobs, profile=profile, options=options)
            if not is_new:
                click.echo(f"Run {run.run_id} is under way already; this is that one.", err=True)
            if wait:
                run = watch(graph, run, worker=worker)
    finally:
        graph.close()
    if as_json:
        print_json(asdict(run))
    elif wait:
        print_run(run)
    else:
        console.print(f"Run {run.run_id} is {run.state}.")


def watch(
    graph: Graph, run: TrainingRun, *, worker: "subprocess.Popen[bytes] | None" = None
) -> TrainingRun:
    """
    Follow a run with a bar until it ends.

    Raises:
        RunFailed: it ended without a model.
        NoTrainingWorker: the child that should do it has ended.
    """

    def check() -> None:
        if worker is not None and worker.poll() is not None:
            raise NoTrainingWorker(f"the worker ended with exit code {worker.returncode}")

    with bar() as shown:
        task = shown.add_task("queued", total=1.0)
        return follow(graph, run.run_id, tell=lambda now: _show(shown, task, now), check=check)


def print_run(run: TrainingRun) -> None:
    """The figures of a finished run, with the base rate they belong to."""
    metrics = run.figures.get("metrics") or {}
    console.print(figures_table(metrics))
    if run.figures.get("note"):
        console.print(f"Note: {run.figures['note']}.")
    console.print(f"Model {run.model_version}, run {run.run_id}.")


def figures_table(metrics: Mapping[str, float]) -> Table:
    """Ours beside the baselines, on the last slice of time."""
    rows = [
        (label, *(metrics.get(f"test_{name}_{figure}") for figure in FIGURES))
        for name, label in MODELS.items()
        if f"test_{name}_ap" in metrics
    ]
    return table(_title(metrics), ("model", *FIGURES.values()), rows)


def _title(metrics: Mapping[str, float]) -> str:
    base = metrics.get("test_base_rate")
    if base is None:
        return "Last slice of time"
    pairs, positives = metrics.get("test_pairs", 0), metrics.get("test_positives", 0)
    return (
        f"Last slice of time: {pairs:,.0f} pairs, {positives:,.0f} bought, base rate {base:.4f};"
        " threshold from validation"
    )


@contextmanager
def own_worker() -> Iterator["subprocess.Popen[bytes] | None"]:
    """A training worker that lives as long as the block; its log goes to stderr."""
    process = subprocess.Popen([sys.executable, "-m", *WORKER], stdout=sys.stderr)
    with ending(process):
        yield process


@contextmanager
def _somebody(jobs: Jobs) -> Iterator["subprocess.Popen[bytes] | None"]:
    if not jobs.trainers():
        raise NoTrainingWorker(
            "no worker serves the training queue; start one with `shopgraph up`, with"
            f" `{' '.join(WORKER)}`, or train with --here"
        )
    yield None


def _show(shown: Progress, task: TaskID, run: TrainingRun) -> None:
    loss = run.figures.get("validation_loss")
    said = run.stage
    if run.stage == "fit" and loss is not None:
        said = f"fit, epoch {run.figures.get('epoch', 0):.0f}, validation loss {loss:.4f}"
    shown.update(task, completed=run.progress, description=said)

"""``shopgraph evaluate``: the models beside each other on public data, without a database."""

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress, TaskID
from rich.table import Table

from ml.evaluation.records import Figure, Goal, Study
from ml.studies import STUDIES
from ml.studies.store import read_studies
from workers.commands.output import bar, console, errors, print_json
from workers.studies import Order, run_studies

MOST_COLUMNS = 6

FROM_A_PACKAGE = ("journey", "journey_next", "cold_journey")
"""Studies whose data come from an installed package; they need no folder."""


@click.command(epilog=f"Studies: {', '.join(STUDIES)}.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "is_all", is_flag=True, help="All studies.")
@click.option("--quick", is_flag=True, help="Smaller and with one seed: for a look, no report.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default="data",
    show_default=True,
    help="Folder with one folder per public data set.",
)
@click.option("--out", type=click.Path(path_type=Path), help="[default: reports/<today>]")
@click.option("--seeds", type=click.IntRange(1, 9), default=3, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Side by side.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.option(
    "--document",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Run nothing; print docs/evaluation.md from the studies of a folder.",
)
def evaluate(
    names: tuple[str, ...],
    is_all: bool,
    quick: bool,
    data: Path,
    out: Path | None,
    seeds: int,
    jobs: int,
    is_json: bool,
    document: Path | None,
) -> None:
    """
    Measure models on public data and write JSON and index.html.

    Exit code 1 if a goal falls short (not with --quick) or a study fails.
    """
    if document is not None:
        click.echo(_document(document), nl=False)
        return
    asked = _asked(names, is_all=is_all)
    order = Order(
        names=asked,
        data=_existing(data, asked),
        out=out or Path("reports") / datetime.now(UTC).date().isoformat(),
        seeds=1 if quick else seeds,
        jobs=jobs,
        quick=quick,
    )
    failed = _run(order)
    studies = [study for study in read_studies(order.out) if study.name in order.names]
    if is_json:
        print_json([line for study in studies for line in json_lines(study)])
    else:
        for study in studies:
            show(study)
        console.print(f"Report: {_write_report(order.out)}", soft_wrap=True)
    falls_short = any(not goal.holds for study in studies for goal in study.goals)
    if failed or (falls_short and not quick):
        sys.exit(1)


def show(study: Study) -> None:
    """Print a study's models, what they gain over each other, and its goals."""
    console.print(models_table(study))
    for title, gains in (("gains", study.gains), ("each part", study.ablation)):
        for gain in gains:
            sure = "" if gain.interval.is_significant else "  (0 is inside)"
            console.print(
                f"  {title}: {gain.ours} over {gain.theirs}, {gain.figure} "
                f"{gain.interval.difference:+.4f} "
                f"({gain.interval.low:+.4f} to {gain.interval.high:+.4f}){sure}",
                soft_wrap=True,
            )
    for goal in study.goals:
        console.print(
            f"  goal {'holds' if goal.holds else 'FALLS SHORT'}: {goal_text(goal)}", soft_wrap=True
        )
    console.print()


def models_table(study: Study) -> Table:
    """One line per model, figures with intervals first."""
    base = "" if study.base_rate is None else f", base rate {study.base_rate:.4f}"
    table = Table(
        title=f"{study.name}: {study.title} ({study.cases:,} cases{base})", title_justify="left"
    )
    table.add_column("model", overflow="fold")
    shown = headline(study)
    for name in (*shown, "seeds", "seconds", "MiB"):
        table.add_column(name, justify="right")
    for row in study.rows:
        figures = [figure_text(row.figures.get(name)) for name in shown]
        table.add_row(
            row.model, *figures, f"{row.seeds}", f"{row.seconds:.0f}", f"{row.peak_mb:.0f}"
        )
    return table


def headline(study: Study) -> list[str]:
    """The figures that fit on a line: those with intervals, in the order of the first row."""
    names = list(dict.fromkeys(name for row in study.rows for name in row.figures))
    sure = [name for name in names if any(_has_interval(row.figures, name) for row in study.rows)]
    return (sure or names)[:MOST_COLUMNS]


def figure_text(figure: Figure | None) -> str:
    """A value, its interval, and the deviation between seeds, as far as they are known."""
    if figure is None:
        return ""
    interval = "" if figure.low is None else f" {figure.low:.4f} to {figure.high:.4f}"
    return f"{figure.value:.4f}{interval}"


def goal_text(goal: Goal) -> str:
    """What was to be reached, what was, and the bar."""
    side = "≤" if goal.is_upper_bound else "≥"
    return f"{goal.what} {goal.value:.4f} (bar {side} {goal.bar:g})"


def json_lines(study: Study) -> list[dict[str, Any]]:
    """Every figure of the models without a bar, then every goal with its bar."""
    base = "" if study.base_rate is None else f"base rate {study.base_rate:.6f}, "
    found: list[dict[str, Any]] = []
    for row in study.rows:
        for name, figure in row.figures.items():
            interval = "" if figure.low is None else f"[{figure.low:.6f}, {figure.high:.6f}], "
            detail = f"{interval}{base}{study.cases} cases, {row.seeds} seeds"
            found.append(_line(f"{study.name}: {row.model} {name}", figure.value, None, detail))
    for goal in study.goals:
        side = "at most" if goal.is_upper_bound else "at least"
        line = _line(f"{study.name}: {goal.what}", goal.value, goal.bar, f"{base}{side} the bar")
        found.append(line | {"holds": goal.holds})
    return found


def _line(figure: str, value: float, bar_: float | None, detail: str) -> dict[str, Any]:
    return {
        "figure": figure,
        "value": value,
        "unit": "",
        "bar": bar_,
        "holds": True,
        "detail": detail,
    }


def _has_interval(figures: dict[str, Figure], name: str) -> bool:
    return name in figures and figures[name].low is not None


def _asked(names: tuple[str, ...], *, is_all: bool) -> tuple[str, ...]:
    unknown = [name for name in names if name not in STUDIES]
    known = ", ".join(STUDIES)
    if unknown:
        raise click.UsageError(f"there is no study {', '.join(unknown)}; there are: {known}")
    if not (names or is_all):
        raise click.UsageError(f"name a study or say --all; there are: {known}")
    return tuple(STUDIES) if is_all else names


def _existing(folder: Path, names: tuple[str, ...]) -> Path:
    if not folder.is_dir() and set(names) - set(FROM_A_PACKAGE):
        raise click.UsageError(f"the data folder {folder} is not there; give it with --data")
    return folder.resolve()


def _run(order: Order) -> list[str]:
    """Run with a progress bar per study; gives the names of those that failed."""
    failed = []
    # A killed parent leaves no orphan: the block below ends the studies on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with bar() as progress:
        watch = _Bars(progress, order.names)
        for outcome in run_studies(order, watch):
            if outcome.problem:
                failed.append(outcome.name)
                watch(outcome.name, "failed", 1.0)
                errors.print(f"{outcome.name}: {outcome.problem}", markup=False, soft_wrap=True)
            else:
                watch(outcome.name, "done", 1.0)
                _write_report(order.out)
    return failed


class _Bars:
    """One progress bar per study."""

    def __init__(self, progress: Progress, names: tuple[str, ...]) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            name: progress.add_task(f"{name}: waiting", total=1.0) for name in names
        }

    def __call__(self, name: str, what: str, share: float) -> None:
        self._progress.update(self._tasks[name], description=f"{name}: {what}", completed=share)


def _write_report(folder: Path) -> Path:
    # Only whoever evaluates needs a template engine and a plotting library.
    from ml.studies.report import write_report

    return write_report(folder)


def _document(folder: Path) -> str:
    from ml.studies.document import document

    if not folder.is_dir():
        raise click.UsageError(f"the folder {folder} is not there")
    return document(read_studies(folder))

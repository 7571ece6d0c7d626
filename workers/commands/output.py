"""What the commands print on: tables for people, JSON for machines."""

import sys
from collections.abc import Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table whose numeric columns are aligned to the right."""
    built = Table(title=title, title_justify="left", title_style="bold")
    for position, column in enumerate(columns):
        is_number = bool(rows) and all(_is_number(row[position]) for row in rows)
        built.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        built.add_row(*(_text(value) for value in row))
    return built


def bar() -> Progress:
    """A progress bar on stderr, so that stdout stays readable by machines."""
    return Progress(
        SpinnerColumn(),
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        _Share(),
        TimeElapsedColumn(),
        console=errors,
    )


class _Share(ProgressColumn):
    """How much is done in percent; how many, where nobody knows of how many."""

    def render(self, task: Task) -> Text:
        """The column of one task."""
        return Text(f"{task.percentage:>3.0f} %" if task.total else f"{task.completed:,.0f}")


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(value)

"""A measured figure, the bar it is held to, and how both are printed."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table


class Bar(StrEnum):
    """Which side of the bar is good."""

    AT_LEAST = "≥"
    AT_MOST = "≤"


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One measured number.

    Attributes:
        bar: the number to hold; ``None`` where none is set.
        good: whether the value has to be at least or at most the bar.
        detail: how it was measured, in a few words.
    """

    figure: str
    value: float
    unit: str
    bar: float | None = None
    good: Bar = Bar.AT_LEAST
    detail: str = ""

    @property
    def holds(self) -> bool:
        """Whether the value is on the good side of its bar; true where there is none."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.good is Bar.AT_LEAST else self.value <= self.bar


def exponent(costs: Sequence[tuple[float, float]]) -> float:
    """
    How the cost grows with the size: 1 where twice as much takes twice as long.

    Args:
        costs: pairs of size and cost, smallest first; the slope of the line through their logs.
    """
    sizes, spent = np.log(np.array(costs, np.float64)).T
    return float(np.polyfit(sizes, spent, 1)[0])


def as_json(figures: Iterable[Figure]) -> str:
    """The figures as a JSON list, for machines."""
    rows: list[dict[str, Any]] = []
    for figure in figures:
        row = asdict(figure)
        row["holds"] = figure.holds
        del row["good"]
        rows.append(row)
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode()


def show(figures: Iterable[Figure], *, title: str, console: Console) -> None:
    """Print the figures as a table, for people."""
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("bar", justify="right")
    table.add_column("holds")
    table.add_column("detail")
    for figure in figures:
        bar = "" if figure.bar is None else f"{figure.good.value} {figure.bar:,g}"
        holds = "" if figure.bar is None else ("yes" if figure.holds else "NO")
        value = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:,.2f}"
        table.add_row(figure.figure, value, figure.unit, bar, holds, figure.detail)
    console.print(table)

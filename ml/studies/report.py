"""One page with everything that the studies of a folder found."""

from collections.abc import Iterable
from pathlib import Path

import jinja2
from markupsafe import Markup

from ml.evaluation.records import Figure, Gain, Goal, Row, Study
from ml.studies.pictures import KINDS, curves_svg, gains_svg
from ml.studies.store import read_studies

SAME_FOR_ALL = ("pairs", "positives")
"""Figures that every model of a table shares; the base rate stays, it belongs to every row."""

TEMPLATE = Path(__file__).with_name("report.html")


def write_report(folder: Path) -> Path:
    """Write ``index.html`` from the studies of a folder, and give its path."""
    path = folder / "index.html"
    draft = path.with_suffix(".part")
    draft.write_text(page(read_studies(folder)), encoding="utf-8")
    draft.replace(path)
    return path


def page(studies: Iterable[Study]) -> str:
    """The page as text; needs no file beside it and loads nothing."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        studies=list(studies),
        columns=columns,
        cell=cell,
        gain=gain_text,
        goal=goal_text,
        pictures=pictures,
    )


def columns(rows: Iterable[Row]) -> list[str]:
    """All figures of some rows, the base rate first, then as they come up; not what all share."""
    names = dict.fromkeys(name for row in rows for name in row.figures if name not in SAME_FOR_ALL)
    return sorted(names, key=lambda name: name != "base_rate")


def cell(figure: Figure | None) -> str:
    """A value with its interval in brackets and, over seeds, its deviation."""
    if figure is None:
        return ""
    interval = "" if figure.low is None else f" [{short(figure.low)}, {short(figure.high)}]"
    deviation = f" ±{short(figure.deviation)}" if figure.deviation else ""
    return f"{short(figure.value)}{interval}{deviation}"


def short(value: float | None) -> str:
    """Four decimals; whole numbers from 1,000 on."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"


def gain_text(gain: Gain) -> str:
    """A difference with its interval, signs shown."""
    found = gain.interval
    return f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def goal_text(goal: Goal) -> str:
    """The bar and on which side of it the value is to be."""
    return f"{'≤' if goal.is_upper_bound else '≥'} {goal.bar:g}"


def pictures(study: Study) -> list[Markup]:
    """Curves by kind, then what each part is worth; the drawings are ours, so they are safe."""
    drawn = []
    for kind in KINDS:
        curves = [curve for curve in study.curves if curve.kind == kind]
        if curves:
            drawn.append(curves_svg(kind, curves))
    for title, gains in (("Gains", study.gains), ("What each part is worth", study.ablation)):
        for figure in dict.fromkeys(gain.figure for gain in gains):
            alike = [gain for gain in gains if gain.figure == figure]
            drawn.append(gains_svg(f"{title}: {figure}", alike))
    return [Markup(svg) for svg in drawn]  # noqa: S704

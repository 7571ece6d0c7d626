"""Pictures of a report as inline SVG: no file beside the page, no script."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from ml.evaluation.records import Curve, Gain

KINDS = {
    "precision_recall": ("Precision and recall", "recall", "precision"),
    "reliability": ("Reliability", "mean probability", "share of positives"),
    "gain": ("Gain", "share of pairs said yes to", "share of positives found"),
    "learning": ("Learning", "epoch", "validation"),
}
"""Kind of curve: title and axes."""

START = 0.02
"""Recall from which on a curve of precision is shown in full height."""

COLOURS = ("#1f5fa8", "#c8501e", "#2e8540", "#7a4fa3", "#8a6d1a", "#2a8a94", "#a83252", "#555555")


def curves_svg(kind: str, curves: Sequence[Curve]) -> str:
    """All curves of one kind in one picture."""
    title, across, up = KINDS.get(kind, (kind, "", ""))
    with _axes(title) as (axes, svg):
        if kind == "reliability":
            end = max((max(curve.x, default=0.0) for curve in curves), default=1.0)
            axes.plot([0, end], [0, end], color="#bbbbbb", linestyle="--", linewidth=1)
        marker = "o" if kind == "reliability" else None
        for place, curve in enumerate(curves):
            colour = COLOURS[place % len(COLOURS)]
            axes.plot(curve.x, curve.y, label=curve.model, color=colour, marker=marker, ms=3)
        if kind == "precision_recall":
            # The first few pairs make a spike that would flatten all the rest.
            shown = [y for one in curves for x, y in zip(one.x, one.y, strict=True) if x >= START]
            axes.set_ylim(0, 1.1 * max(shown, default=1.0))
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.legend(frameon=False, fontsize=8)
    return svg()


def gains_svg(title: str, gains: Sequence[Gain]) -> str:
    """A bar with its interval for each difference, the first on top."""
    with _axes(title, height=0.9 + 0.42 * len(gains), width=7.2) as (axes, svg):
        for place, gain in enumerate(gains):
            found = gain.interval
            colour = COLOURS[0] if found.is_significant else "#aaaaaa"
            axes.barh(place, found.difference, color=colour, height=0.6)
            axes.plot([found.low, found.high], [place, place], color="#222222", linewidth=1.2)
        names = [f"{gain.ours}\n− {gain.theirs}" for gain in gains]
        axes.set_yticks(range(len(gains)), names, fontsize=7)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.invert_yaxis()
        axes.axvline(0, color="#222222", linewidth=0.8)
    return svg()


class _Svg:
    """Is asked for the text once the picture is drawn."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self) -> str:
        return self.text


@contextmanager
def _axes(title: str, height: float = 3.4, width: float = 5.4) -> Iterator[tuple[Axes, _Svg]]:
    svg = _Svg()
    # A salt of its own keeps the ids of two pictures on one page apart, and repeatable.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.size": 9}):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        axes = canvas.add_subplot()
        axes.set_title(title, fontsize=10, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#eeeeee")
        axes.set_axisbelow(True)
        yield axes, svg
        drawn = io.StringIO()
        canvas.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    svg.text = drawn.getvalue()[drawn.getvalue().index("<svg") :]

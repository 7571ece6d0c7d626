"""``docs/evaluation.md``: the paper's table beside ours, then a table per study."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ml.evaluation.balanced import GROUP as BALANCED
from ml.evaluation.records import Figure, Gain, Row, Study
from ml.studies.paper import PAPER, claims, is_better, why_they_differ
from ml.studies.report import cell, columns, gain_text, goal_text, short
from ml.studies.tables import markdown

HEADLINE = ("ap", "auc", "log_loss", "recall@20", "mrr@20", "recall@10", "ndcg@10", "ndcg@20", "f1")


VIEW = 5
"""A group with so many models is a view of its own, not a part of the cases."""

INTRODUCTION = (
    "Written by `shopgraph evaluate --document FOLDER` from the studies in a folder; every number "
    "comes from them. In brackets stand 95 % bootstrap intervals over people (over sessions where "
    "there are none), after ± the deviation between seeds (at 1:1 between draws of the negatives); "
    "differences are paired, and one is called significant when its interval leaves 0 out."
)

BOTH_VIEWS = (
    "Only the view at 1:1 may stand beside the paper's numbers; the natural rate is what a shop "
    "lives with. F1 is given with its base rate in both."
)


def document(studies: Sequence[Study]) -> str:
    """The whole page; whatever studies there are, it says what they show and no more."""
    return "\n".join(_lines(studies)).rstrip() + "\n"


def _lines(studies: Sequence[Study]) -> Iterator[str]:
    yield "# Evaluation"
    yield ""
    yield from _wrapped(INTRODUCTION)
    yield from _paper(studies)
    yield from _goals(studies)
    yield from _cold(studies)
    yield from _gains(
        "What each part is worth",
        "The whole model over the same model without one part.",
        [(study, gain) for study in studies for gain in study.ablation],
    )
    yield from _useless(studies)
    yield from _gains(
        "Promotion and time",
        "The same model with and without the columns on promotion.",
        [(s, gain) for s in studies for gain in (*s.gains, *s.ablation) if _is_promotion(gain)],
    )
    for study in studies:
        yield from _study(study)


def _paper(studies: Sequence[Study]) -> Iterator[str]:
    yield "## The paper's table beside ours"
    yield ""
    yield from _wrapped(BOTH_VIEWS)
    rows = []
    study = next((one for one in studies if one.name == "alibaba"), None)
    for one in PAPER:
        natural = _find(study.rows, one.ours) if study else None
        even = _find(study.groups.get(BALANCED, []), one.ours) if study else None
        rows.append(
            [
                one.model,
                *(_plain(value) for value in (one.precision, one.recall, one.f1, one.auc)),
                "" if one.implied_share is None else f"{one.implied_share:.0%}",
                *(_of(even, name) for name in ("precision", "recall", "f1", "auc", "base_rate")),
                *(_of(natural, name) for name in ("f1", "ap", "auc", "base_rate")),
            ]
        )
    head = ["model", *("paper: P", "paper: R", "paper: F1", "paper: AUC", "positives implied")]
    head += [f"ours at 1:1: {name}" for name in ("P", "R", "F1", "AUC", "base rate")]
    head += [f"ours, natural rate: {name}" for name in ("F1", "AP", "AUC", "base rate")]
    yield from markdown(head, rows)
    for paragraph in why_they_differ():
        yield from _wrapped(paragraph)
    yield "### Which of its claims hold here"
    yield ""
    yield from markdown(["claim", "here"], claims(studies))


def _goals(studies: Iterable[Study]) -> Iterator[str]:
    rows = [
        [study.name, goal.what, short(goal.value), goal_text(goal), "yes" if goal.holds else "no"]
        for study in studies
        for goal in study.goals
    ]
    if rows:
        yield "## Goals"
        yield ""
        yield from markdown(["study", "goal", "value", "bar", "holds"], rows)


def _cold(studies: Iterable[Study]) -> Iterator[str]:
    found = [study for study in studies if _is_cold(study)]
    if found:
        yield "## Cold start"
        yield ""
    for study in found:
        measured = _headline([row for rows in study.groups.values() for row in rows])
        # What is promised of strangers is promised in this figure, where it was measured.
        for figure in [name for name in measured if name == "ndcg@20"] or measured[:1]:
            yield f"{study.title}: {figure} at each number of events."
            yield ""
            yield from _by_group(study.groups, figure)


def _by_group(groups: Mapping[str, Sequence[Row]], figure: str) -> Iterator[str]:
    """A line per model, a column per group, its base rate in the head where it has one."""
    names = dict.fromkeys(row.model for rows in groups.values() for row in rows)
    head = [f"{name}{_base_rate(rows)}" for name, rows in groups.items()]
    found = [
        [name, *(_of(_find(rows, (name,)), figure) for rows in groups.values())] for name in names
    ]
    yield from markdown(["model", *head], found)


def _base_rate(rows: Sequence[Row]) -> str:
    rates = [row.figures["base_rate"].value for row in rows if "base_rate" in row.figures]
    return f" (base rate {rates[0]:.4f})" if rates else ""


def _gains(title: str, what: str, found: Sequence[tuple[Study, Gain]]) -> Iterator[str]:
    if not found:
        return
    yield f"## {title}"
    yield ""
    yield what
    yield ""
    yield from _gain_table(found)


def _useless(studies: Sequence[Study]) -> Iterator[str]:
    """Which parts have shown no gain on any set; they are to be off unless asked for."""
    steps = [gain for study in studies for gain in study.ablation]
    useful = {(gain.ours, gain.theirs) for gain in steps if is_better(gain)}
    idle = dict.fromkeys((gain.ours, gain.theirs) for gain in steps)
    named = [f"{ours} over {theirs}" for ours, theirs in idle if (ours, theirs) not in useful]
    if named:
        yield from _wrapped(f"No significant gain on any set: {'; '.join(named)}.")


def _gain_table(found: Iterable[tuple[Study, Gain]]) -> Iterator[str]:
    rows = [
        [study.name, gain.ours, gain.theirs, gain.figure, gain_text(gain), _verdict(gain)]
        for study, gain in found
    ]
    yield from markdown(["study", "model", "over", "figure", "difference", "significant"], rows)


def _study(study: Study) -> Iterator[str]:
    yield f"## {study.title}"
    yield ""
    base = "" if study.base_rate is None else f", base rate {study.base_rate:.4f}"
    command = f"`shopgraph evaluate {study.name}`"
    yield from _wrapped(f"{command}: {study.cases:,} cases{base}. {study.protocol}")
    yield from _rows_table(study.rows)
    if study.gains:
        yield from _gain_table((study, gain) for gain in study.gains)
    if not _is_cold(study):
        yield from _groups(study)
    for note in study.notes:
        yield f"- {note}"
    if study.notes:
        yield ""


def _groups(study: Study) -> Iterator[str]:
    """Other views of all models as tables of their own, groups of cases side by side."""
    views = {name: rows for name, rows in study.groups.items() if len(rows) >= VIEW}
    for name, rows in views.items():
        yield f"{name[:1].upper()}{name[1:]}:"
        yield ""
        yield from _rows_table(rows)
    groups = {name: rows for name, rows in study.groups.items() if name not in views}
    for figure in _headline([row for rows in groups.values() for row in rows])[:1]:
        yield f"{figure} by group:"
        yield ""
        yield from _by_group(groups, figure)


def _rows_table(rows: Sequence[Row]) -> Iterator[str]:
    names = columns(rows)
    yield from markdown(
        ["model", *names, "seeds", "seconds", "peak MiB"],
        [
            [
                row.model if not row.note else f"{row.model} ({row.note})",
                *(cell(row.figures.get(name)) for name in names),
                str(row.seeds),
                f"{row.seconds:.1f}" if row.seconds else "",
                f"{row.peak_mb:.0f}" if row.peak_mb else "",
            ]
            for row in rows
        ],
    )


def _headline(rows: Sequence[Row]) -> list[str]:
    found = [name for name in HEADLINE if any(name in row.figures for row in rows)]
    return found or columns(rows)


def _find(rows: Sequence[Row], names: Sequence[str]) -> Row | None:
    return next((row for row in rows if row.model in names), None)


def _of(row: Row | None, name: str) -> str:
    figure: Figure | None = None if row is None else row.figures.get(name)
    return cell(figure)


def _wrapped(paragraph: str) -> Iterator[str]:
    yield from textwrap.wrap(paragraph, 100, break_long_words=False, break_on_hyphens=False)
    yield ""


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _verdict(gain: Gain) -> str:
    return "yes" if gain.interval.is_significant else "no"


def _is_cold(study: Study) -> bool:
    return study.name.startswith("cold")


def _is_promotion(gain: Gain) -> bool:
    """Whether the two differ in what they know of promotions, and in nothing else."""
    ours, theirs = (
        re.sub(r"( \+| without)? promotions?\b", "", name) for name in (gain.ours, gain.theirs)
    )
    is_pair = ours == theirs and gain.ours != gain.theirs
    return is_pair or gain.ours == "+ promotion" or gain.theirs.endswith("without promotion")

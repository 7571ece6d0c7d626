"""Figures of a ranking: per case, in the mean, with intervals, as rows of a report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.bootstrap import mean_interval, paired_mean_difference
from ml.evaluation.ranking import Cases, Ranked
from ml.evaluation.records import Figure, Gain, Row

HEAD_SHARE = 0.01
"""Part of the catalogue, the most popular items, that is called its head."""


def per_case(ranked: Ranked, cases: Cases, figure: str) -> NDArray[np.float64]:
    """
    (C,) a figure such as ``recall@20``, ``precision@20``, ``ndcg@10``, ``mrr@20``, ``hit@10``.

    A target is found when its rank is at most k, half ranks included. Cases without targets, and
    so people without a list, count as zero. The ideal of NDCG has min(k, targets) items.
    """
    kind, _, cut = figure.partition("@")
    k = int(cut)
    count = np.diff(cases.target_start)
    case = np.repeat(np.arange(len(cases)), count)
    found = ranked.rank <= k
    hits = np.bincount(case, found, minlength=len(cases)).astype(np.float64)
    if kind == "recall":
        return hits / np.maximum(count, 1.0)
    if kind == "precision":
        return hits / k
    if kind == "hit":
        return (hits > 0).astype(np.float64)
    if kind == "mrr":
        best = np.zeros(len(cases))
        np.maximum.at(best, case[found], 1 / ranked.rank[found])
        return best
    if kind == "ndcg":
        gain = np.bincount(case, found / np.log2(1 + ranked.rank), minlength=len(cases))
        ideal = np.append(0.0, np.cumsum(1 / np.log2(np.arange(k) + 2)))[np.minimum(count, k)]
        score: NDArray[np.float64] = gain / np.maximum(ideal, 1)
        return score
    raise ValueError(f"there is no figure {figure}")


def summary(ranked: Ranked, cases: Cases, figures: Sequence[str]) -> dict[str, float]:
    """Means over all cases, by figure."""
    return {figure: float(per_case(ranked, cases, figure).mean()) for figure in figures}


def part(ranked: Ranked, cases: Cases, rows: NDArray[Any]) -> tuple[Ranked, Cases]:
    """The answers to some of the cases, by mask or positions, and those cases."""
    rows = np.arange(len(cases))[rows]
    start, count = cases.target_start[:-1][rows], np.diff(cases.target_start)[rows]
    begins = np.append(0, np.cumsum(count)).astype(np.int64)
    targets = np.arange(begins[-1]) + np.repeat(start - begins[:-1], count)
    kept = Cases(
        prefixes=cases.prefixes.take(rows),
        target=cases.target[targets],
        target_start=begins,
        owner=cases.owner[rows],
        seen=None if cases.seen is None else cases.seen.take(rows),
    )
    return Ranked(ranked.rank[targets], ranked.top[rows]), kept


def coverage(ranked: Ranked, n_items: int, k: int = 20) -> float:
    """Share of the catalogue that is in at least one list of k items."""
    return len(np.unique(ranked.top[:, :k])) / max(n_items, 1)


def head_share(ranked: Ranked, popularity: NDArray[Any], k: int = 20) -> float:
    """
    Share of the places in all lists of k that the head takes.

    Args:
        popularity: (V,) events of each item in the past; the head are the best ``HEAD_SHARE``.
    """
    shown = ranked.top[:, :k]
    if not shown.size:
        return float("nan")
    return float(head_items(popularity)[shown].mean())


def head_items(popularity: NDArray[Any], share: float = HEAD_SHARE) -> NDArray[np.bool_]:
    """(V,) whether an item belongs to the most popular ``share`` of the catalogue."""
    is_head = np.zeros(len(popularity), bool)
    is_head[np.argsort(-popularity, kind="stable")[: max(round(share * len(popularity)), 1)]] = True
    return is_head


def ranking_row(
    model: str,
    ranked: Ranked | Sequence[Ranked],
    cases: Cases,
    figures: Sequence[str],
    *,
    draws: int,
    rng: np.random.Generator,
    popularity: NDArray[Any] | None = None,
    seconds: float = 0.0,
    peak_mb: float = 0.0,
    note: str = "",
) -> Row:
    """
    A model's row; given one ``Ranked`` per seed it holds seed means and their deviation.

    Args:
        popularity: (V,) events in the past; adds ``coverage@20`` and ``head@20``.
    """
    seeds = _seeds(ranked)
    row: dict[str, Figure] = {}
    for figure in figures:
        each = np.stack([per_case(one, cases, figure) for one in seeds])  # (seeds, cases)
        found = mean_interval(each.mean(axis=0), cases.owner, draws=draws, rng=rng)
        row[figure] = Figure(found.value, found.low, found.high, _deviation(each.mean(axis=1)))
    if popularity is not None:
        n = len(popularity)
        row["coverage@20"] = _mean([coverage(one, n) for one in seeds])
        row["head@20"] = _mean([head_share(one, popularity) for one in seeds])
    return Row(
        model=model, figures=row, seeds=len(seeds), seconds=seconds, peak_mb=peak_mb, note=note
    )


def ranking_gain(
    ours: str,
    theirs: str,
    ranked: Mapping[str, Ranked | Sequence[Ranked]],
    cases: Cases,
    figure: str,
    *,
    draws: int,
    rng: np.random.Generator,
) -> Gain:
    """What the model ``ours`` is worth over ``theirs``, both keys of ``ranked``."""
    first, second = (mean_per_case(ranked[name], cases, figure) for name in (ours, theirs))
    interval = paired_mean_difference(first, second, cases.owner, draws=draws, rng=rng)
    return Gain(ours=ours, theirs=theirs, figure=figure, interval=interval)


def mean_per_case(
    ranked: Ranked | Sequence[Ranked], cases: Cases, figure: str
) -> NDArray[np.float64]:
    """(C,) a figure of each case, averaged over seeds."""
    found: NDArray[np.float64] = np.mean(
        [per_case(one, cases, figure) for one in _seeds(ranked)], axis=0
    )
    return found


def _seeds(ranked: Ranked | Sequence[Ranked]) -> Sequence[Ranked]:
    return [ranked] if isinstance(ranked, Ranked) else ranked


def _mean(values: Sequence[float]) -> Figure:
    return Figure(float(np.mean(values)), deviation=_deviation(values))


def _deviation(values: Any) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None

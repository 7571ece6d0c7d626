"""For whom and for what a model is good: cases by history, novelty, repetition, popularity."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.ranking import Cases
from ml.evaluation.ranking_metrics import head_items

Masks = dict[str, NDArray[np.bool_]]
"""Group name, then (C,) whether a case belongs to it; groups without cases are left out."""

HISTORY: tuple[tuple[int, int | None], ...] = ((0, 0), (1, 1), (2, 4), (5, 19), (20, None))
"""First and last length of each group; the first three together are the paper's cold people."""

COLD_BELOW = 5

NEW_DAYS = 7


def by_history(length: NDArray[Any]) -> Masks:
    """By events before the question, (C,); and ``history < 5``, the paper's cold people."""
    groups: Masks = {}
    for first, last in HISTORY:
        name = f"{first}+" if last is None else str(first) if first == last else f"{first}-{last}"
        groups[f"history {name}"] = (length >= first) & (last is None or length <= last)
    return _filled(groups | {f"history < {COLD_BELOW}": length < COLD_BELOW})


def by_novelty(age_days: NDArray[Any]) -> Masks:
    """By days since the item's first event, (C,); NaN for an item that had none yet."""
    is_old = age_days > NEW_DAYS
    return _filled({f"item new in {NEW_DAYS} d": ~is_old, "item older": is_old})


def by_repetition(is_repeat: NDArray[np.bool_]) -> Masks:
    """By whether the person had bought (or touched) the item before, (C,)."""
    return _filled({"first-time pair": ~is_repeat, "repeat pair": is_repeat})


def in_prefix(cases: Cases) -> NDArray[np.bool_]:
    """(C,) whether the target stands in what came before; of cases with one target each."""
    owner = cases.prefixes.owner
    is_target = cases.prefixes.item == cases.target[owner]
    again: NDArray[np.bool_] = np.bincount(owner, is_target, len(cases)) > 0
    return again


def by_popularity(item: NDArray[Any], popularity: NDArray[Any]) -> Masks:
    """By whether ``item`` (C,) is one of the most popular; ``popularity`` (V,) of the past."""
    is_head = head_items(popularity)[item]
    return _filled({"head item": is_head, "tail item": ~is_head})


def by_last_behaviour(code: NDArray[Any], names: Sequence[str]) -> Masks:
    """By the code of the person's last event, (C,); -1 where there is none."""
    groups = {f"last event {name}": code == row for row, name in enumerate(names)}
    return _filled({"no last event": code < 0} | groups)


def _filled(groups: Masks) -> Masks:
    return {name: mask for name, mask in groups.items() if mask.any()}

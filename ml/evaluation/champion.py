"""Which model is to answer: the best one, and only if it beats today's beyond doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.bootstrap import Interval, paired_ap_difference
from ml.evaluation.metrics import average_precision


@dataclass(frozen=True, slots=True)
class Choice:
    """
    The champion.

    Attributes:
        name: the candidate that won.
        gains: average precision of each challenger minus that of the incumbent.
        reason: one sentence for the operator.
    """

    name: str
    gains: dict[str, Interval]
    reason: str


def choose(
    label: NDArray[Any],
    user: NDArray[Any],
    logits: Mapping[str, NDArray[Any]],
    incumbent: str,
    *,
    parts: Mapping[str, Sequence[str]] | None = None,
    draws: int,
    rng: np.random.Generator,
) -> Choice:
    """
    Choose on validation pairs; never to be asked of test pairs.

    The challenger with the best average precision wins if its paired bootstrap interval over
    people lies above 0 against the incumbent; else the next best one is asked. A blend must beat
    each of its parts in the same way, since it costs as much as all of them.

    Args:
        logits: (P,) scores of each candidate, the incumbent among them.
        parts: the candidates that each blend is made of.
    """
    if not 0 < label.sum() < len(label):
        return Choice(incumbent, {}, f"{incumbent} stays: the pairs have one class only")
    precision = {name: average_precision(label, logit) for name, logit in logits.items()}

    def beats(name: str, other: str) -> Interval:
        ours, theirs = logits[name], logits[other]
        return paired_ap_difference(label, ours, theirs, user, draws=draws, rng=rng)

    challengers = sorted(
        (name for name in logits if name != incumbent), key=lambda n: -precision[n]
    )
    gains = {name: beats(name, incumbent) for name in challengers}
    for name in challengers:
        below = [one for one in (parts or {}).get(name, ()) if one != incumbent]
        if gains[name].low > 0 and all(beats(name, one).low > 0 for one in below):
            return Choice(name, gains, _won(name, incumbent, precision[name], gains[name]))
    return Choice(incumbent, gains, _stayed(incumbent, precision[incumbent], gains))


def _won(name: str, incumbent: str, precision: float, gain: Interval) -> str:
    return f"{name} with average precision {precision:.4f}, {_said(gain)} over {incumbent}"


def _stayed(incumbent: str, precision: float, gains: Mapping[str, Interval]) -> str:
    held = f"{incumbent} stays with average precision {precision:.4f}"
    if not gains:
        return f"{held}: nobody challenged it"
    best = next(iter(gains))
    return f"{held}: no challenger is better beyond doubt, {best} by {_said(gains[best])}"


def _said(gain: Interval) -> str:
    return f"{gain.difference:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
